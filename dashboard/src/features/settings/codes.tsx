/** Ten recovery codes, shown this once: to be copied, saved as a file, or printed. */
import { Download } from 'lucide-react'
import { Btn } from '@/ui'
import { CopyBtn } from '@/ui/once'

export function Codes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const text = `${codes.join('\n')}\n`
  const save = () => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
    const link = document.createElement('a')
    link.href = url
    link.download = 'shieldops-recovery-codes.txt'
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  }
  return (
    <div>
      <p className="text-xs text-fg-2">
        Each code opens your account once when the second factor is lost. They are shown this once; the ones before no
        longer work.
      </p>
      <ol
        aria-label="Recovery codes"
        className="mt-2 grid grid-cols-2 gap-x-6 gap-y-1 rounded-md border border-line bg-bg p-3 font-mono text-sm select-all"
      >
        {codes.map(code => (
          <li key={code}>{code}</li>
        ))}
      </ol>
      <div className="mt-3 flex gap-2">
        <CopyBtn text={text} />
        <Btn size="sm" onClick={save}>
          <Download size={13} aria-hidden="true" />
          Save as a file
        </Btn>
        <Btn size="sm" v="primary" className="ml-auto" onClick={onDone}>
          I have kept them
        </Btn>
      </div>
    </div>
  )
}
