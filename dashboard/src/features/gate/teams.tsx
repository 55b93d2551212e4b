/** Teams: people, and the labels of the targets on which they may act. */
import { useState } from 'react'
import { usersQuery } from '@/api/queries'
import type { GateTeam, User } from '@/api/types'
import { useNames } from '@/app/names'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { Btn, Chip, Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { Acts, Table, Td, Tr } from '@/ui/table'
import { parseLabels, printLabels } from '../settings/labels'
import { GatePart, type PartProps } from './draft'

export function Teams() {
  return (
    <GatePart
      title="Teams"
      note="A target is a team's when it carries all of the team's labels. What a team is takes a second person: it gives its members targets and takes others away."
      part={props => <Lists {...props} />}
    />
  )
}

function Lists({ settings: { teams }, change, locked }: PartProps) {
  const names = useNames()
  const [editing, setEditing] = useState<number | null>(null)
  const put = (place: number, team: GateTeam) => change({ teams: teams.with(place, team) })
  return (
    <>
      {teams.length ? (
        <Table label="Teams" head={['Team', 'Targets that carry', 'Members']} acts={!locked}>
          {teams.map((team, place) => (
            <Tr key={team.name}>
              <Td className="font-medium">{team.name}</Td>
              <Td>
                <span className="flex flex-wrap gap-1">
                  {Object.entries(team.labels).map(([key, value]) => (
                    <Chip key={key} tone="neutral">
                      {key}={value}
                    </Chip>
                  ))}
                </span>
              </Td>
              <Td className="text-fg-2">{team.members.map(names).join(', ') || 'nobody yet'}</Td>
              {!locked && (
                <Acts>
                  <Btn size="sm" v="ghost" aria-label={`Edit ${team.name}`} onClick={() => setEditing(place)}>
                    Edit
                  </Btn>
                  <Btn
                    size="sm"
                    v="ghost"
                    aria-label={`Remove ${team.name}`}
                    onClick={() => change({ teams: teams.filter(one => one !== team) })}
                  >
                    Remove
                  </Btn>
                </Acts>
              )}
            </Tr>
          ))}
        </Table>
      ) : (
        <p className="px-3 py-4 text-xs text-fg-3">No team yet: people act on every target that their role reaches.</p>
      )}
      {!locked && (
        <div className="border-t border-line p-3">
          <Btn onClick={() => setEditing(teams.length)}>New team</Btn>
        </div>
      )}
      {editing !== null && (
        <TeamDialog
          team={teams[editing]}
          taken={teams.filter((_, place) => place !== editing).map(team => team.name)}
          onTeam={team => (editing < teams.length ? put(editing, team) : change({ teams: [...teams, team] }))}
          onClose={() => setEditing(null)}
        />
      )}
    </>
  )
}

type DialogProps = {
  team: GateTeam | undefined
  taken: string[]
  onTeam: (team: GateTeam) => void
  onClose: () => void
}

function TeamDialog({ team, taken, onTeam, onClose }: DialogProps) {
  const [name, setName] = useState(team?.name ?? '')
  const [labels, setLabels] = useState(printLabels(team?.labels ?? {}))
  const [members, setMembers] = useState<string[]>(team?.members ?? [])
  const parsed = parseLabels(labels)
  const twice = taken.includes(name.trim())
  return (
    <FormDialog
      title={team ? `Change ${team.name}` : 'New team'}
      note="It holds when the draft is written and put in force."
      verb="Take it"
      incomplete={!name.trim() || twice || !Object.keys(parsed).length}
      busy={false}
      error={null}
      onClose={onClose}
      onSubmit={e => {
        e.preventDefault()
        onTeam({ name: name.trim(), labels: parsed, members })
        onClose()
      }}
    >
      <Field label="Name" error={twice ? 'Another team has this name' : undefined}>
        <input required className={inputClass} value={name} onChange={e => setName(e.target.value)} />
      </Field>
      <Field label="Labels of its targets" hint="team=web, tier=1; a target needs all of them">
        <input required className={inputClass} value={labels} onChange={e => setLabels(e.target.value)} />
      </Field>
      <Members members={members} onMembers={setMembers} />
    </FormDialog>
  )
}

function Members({ members, onMembers }: { members: string[]; onMembers: (members: string[]) => void }) {
  const can = useCan()
  const { items } = useList({ ...usersQuery, enabled: can('user.read') })
  const toggle = (user: User) =>
    onMembers(members.includes(user.id) ? members.filter(id => id !== user.id) : [...members, user.id])
  return (
    <fieldset className="flex max-h-56 flex-col gap-1 overflow-y-auto">
      <legend className="mb-1 text-xs font-medium text-fg-2">Members</legend>
      {items?.map(user => (
        <label key={user.id} className="flex items-center gap-2 text-sm">
          <input type="checkbox" checked={members.includes(user.id)} onChange={() => toggle(user)} />
          {user.name}
        </label>
      ))}
    </fieldset>
  )
}
