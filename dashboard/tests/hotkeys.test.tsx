import { fireEvent, render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { type Hotkey, pretty, setSingleKeys, useHotkeys } from '@/app/hotkeys'

function Page({ keys }: { keys: Hotkey[] }) {
  useHotkeys(keys)
  return (
    <>
      <input aria-label="text" />
      <button type="button">act</button>
    </>
  )
}
const key = (keys: string, run = vi.fn(), when?: () => boolean) => ({ keys, label: keys, group: 'Test', run, when })

describe('shortcuts', () => {
  it('run on their key and on their sequence', async () => {
    const user = userEvent.setup()
    const [j, goAlerts] = [key('j'), key('g a')]
    render(<Page keys={[j, goAlerts]} />)
    await user.keyboard('j')
    await user.keyboard('ga')
    expect(j.run).toHaveBeenCalledTimes(1)
    expect(goAlerts.run).toHaveBeenCalledTimes(1)
  })

  it('never fire while someone types', async () => {
    const user = userEvent.setup()
    const j = key('j')
    render(<Page keys={[j]} />)
    await user.click(screen.getByLabelText('text'))
    await user.keyboard('jjj')
    expect(j.run).not.toHaveBeenCalled()
    expect(screen.getByLabelText('text')).toHaveValue('jjj')
  })

  it('fire with Ctrl even while someone types', async () => {
    const user = userEvent.setup()
    const palette = key('mod+k')
    render(<Page keys={[palette]} />)
    await user.click(screen.getByLabelText('text'))
    await user.keyboard('{Control>}k{/Control}')
    expect(palette.run).toHaveBeenCalledTimes(1)
  })

  it('leave Enter to a focused button, but take shift+Enter', async () => {
    const user = userEvent.setup()
    const [enter, approve] = [key('enter'), key('shift+enter')]
    render(<Page keys={[enter, approve]} />)
    screen.getByText('act').focus()
    await user.keyboard('{Enter}')
    expect(enter.run).not.toHaveBeenCalled()
    await user.keyboard('{Shift>}{Enter}{/Shift}')
    expect(approve.run).toHaveBeenCalledTimes(1)
  })

  it('can be switched off, all but Ctrl keys and Escape', async () => {
    const user = userEvent.setup()
    const [j, leave] = [key('j'), key('escape')]
    render(<Page keys={[j, leave]} />)
    setSingleKeys(false)
    await user.keyboard('j{Escape}')
    expect(j.run).not.toHaveBeenCalled()
    expect(leave.run).toHaveBeenCalledTimes(1)
  })

  it('are silent behind an open dialog and during composition', () => {
    const j = key('j')
    render(<Page keys={[j]} />)
    const dialog = document.createElement('div')
    dialog.setAttribute('role', 'dialog')
    dialog.setAttribute('data-open', '')
    document.body.append(dialog)
    fireEvent.keyDown(document.body, { key: 'j' })
    dialog.remove()
    fireEvent.keyDown(document.body, { key: 'j', isComposing: true })
    expect(j.run).not.toHaveBeenCalled()
  })

  it('prefer the latest registration whose condition holds', () => {
    const [under, over] = [key('escape'), key('escape', vi.fn(), () => false)]
    render(<Page keys={[under, over]} />)
    fireEvent.keyDown(document.body, { key: 'Escape' })
    expect(under.run).toHaveBeenCalledTimes(1)
    expect(over.run).not.toHaveBeenCalled()
  })

  it('print as keycaps', () => {
    expect(pretty('shift+enter')).toEqual([['⇧', '↵']])
    expect(pretty('g a')).toEqual([['G'], ['A']])
  })
})
