/** Every shortcut that works here and now, from the one registry; and the switch that turns single keys off. */
import { useState } from 'react'
import { Kbd } from '@/ui/basic'
import { Modal } from '@/ui/modal'
import { setSingleKeys, singleKeys, useHotkeyList } from './hotkeys'

export default function Help({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const list = useHotkeyList()
  const [single, setSingle] = useState(singleKeys)
  const groups = [...new Set(list.map(h => h.group))]
  const unique = (group: string) =>
    list.filter((h, i) => h.group === group && list.findIndex(other => other.keys === h.keys) === i)
  return (
    <Modal open={open} onClose={() => onOpenChange(false)} title="Keyboard" width={720}>
      <label className="mb-3 flex items-center gap-2 text-xs text-fg-2">
        <input
          type="checkbox"
          checked={single}
          onChange={e => {
            setSingleKeys(e.target.checked)
            setSingle(e.target.checked)
          }}
        />
        Single-key shortcuts
      </label>
      <div className="columns-2 gap-8">
        {groups.map(group => (
          <section key={group} className="mb-4 break-inside-avoid">
            <h3 className="mb-1 text-2xs font-medium text-fg-3">{group}</h3>
            <ul>
              {unique(group).map(h => (
                <li key={h.keys} className="flex h-7 items-center justify-between border-b border-line/60">
                  <span className="text-sm text-fg-2">{h.label}</span>
                  <span className="sr-only">{h.keys}</span>
                  <Kbd k={h.keys} />
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </Modal>
  )
}
