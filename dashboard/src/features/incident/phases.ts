/** Phases derive from status and actions, never from a field that someone sets. */
import type { Incident, Phase, Plan } from '@/api/types'
import { inForce } from '@/features/plans/view'
import { PHASES } from '@/ui/labels'

export function phaseOf(incident: Incident, plans: Plan[] = []): Phase {
  if (incident.status === 'resolved' || incident.status === 'closed') return 'resolved'
  if (plans.some(p => p.actions.some(inForce))) return 'contained'
  // With the plans at hand they decide; the server's word may be a moment older.
  const told = PHASES.find(p => p.id === incident.phase)?.id
  if (told && !(plans.length && told === 'contained')) return told
  return incident.revision > 0 ? 'investigated' : 'detected'
}

export const phaseIndex = (phase: Phase) => PHASES.findIndex(p => p.id === phase)
