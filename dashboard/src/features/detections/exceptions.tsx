/** Every exception of the tenant, the ones that end first on top of mind. */
import { useState } from 'react'
import { ExceptionList, Filters } from './exception-list'

export default function Exceptions() {
  const [all, setAll] = useState(false)
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="Exceptions" tabIndex={0}>
      <div className="flex h-10 items-center gap-2 border-b border-line px-4 text-xs text-fg-3">
        What is not to raise an alert. Each has an owner and ends by itself; make one on the page of its rule.
        <span className="ml-auto">
          <Filters all={all} onAll={setAll} />
        </span>
      </div>
      <ExceptionList
        active={all ? undefined : true}
        empty="Every match of an enabled rule raises an alert. Exceptions are made on the page of a rule."
      />
    </section>
  )
}
