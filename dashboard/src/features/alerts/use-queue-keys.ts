/** The queue's keys, in one list so that the `?` sheet shows them all. */
import { useHotkeys } from '@/app/hotkeys'

type Acts = {
  go: (by: number) => void
  toggle: () => void
  all: () => void
  open: () => void
  preview: () => void
  facets: () => void
  filter: () => void
  take: () => void
  resolve: () => void
  escape: () => void
}

export function useQueueKeys(act: Acts) {
  const group = 'Triage'
  useHotkeys([
    { keys: 'j', label: 'Next alert', group, run: () => act.go(1) },
    { keys: 'k', label: 'Previous alert', group, run: () => act.go(-1) },
    { keys: 'arrowdown', label: 'Next alert', group, run: () => act.go(1) },
    { keys: 'arrowup', label: 'Previous alert', group, run: () => act.go(-1) },
    { keys: 'x', label: 'Select', group, run: act.toggle },
    { keys: 'mod+a', label: 'Select everything in this list', group, run: act.all },
    { keys: 'enter', label: 'Open alert', group, run: act.open },
    { keys: 'p', label: 'Toggle preview', group, run: act.preview },
    { keys: 'e', label: 'Close with a reason', group, run: act.resolve },
    { keys: 'a', label: 'Assign to me', group, run: act.take },
    { keys: '/', label: 'Filter', group, run: act.filter },
    { keys: 'f', label: 'Toggle facets', group, run: act.facets },
    { keys: 'escape', label: 'Clear selection, then preview', group, run: act.escape },
  ])
}
