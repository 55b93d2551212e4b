/** What happy-dom lacks and the pages need: sizes, so that virtual rows render; popovers; a socket that never opens. */
import '@testing-library/jest-dom/vitest'
import { cleanup, configure } from '@testing-library/react'
import { afterEach, vi } from 'vitest'

// The first test of a file loads and transforms the lazily loaded pages.
configure({ asyncUtilTimeout: 25_000, getElementError: message => new Error((message ?? 'not found').split('\n')[0]) })

afterEach(() => {
  cleanup()
  localStorage.clear()
})

class FixedResizeObserver {
  constructor(private readonly call: ResizeObserverCallback) {}
  observe(target: Element) {
    const entry = {
      contentRect: { width: 1200, height: 600 },
      target,
      borderBoxSize: [{ inlineSize: 1200, blockSize: 600 }],
    }
    this.call([entry as unknown as ResizeObserverEntry], this as unknown as ResizeObserver)
  }
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal('ResizeObserver', FixedResizeObserver)
vi.stubGlobal(
  'WebSocket',
  class {
    close() {}
  },
)

const size = (name: string, value: number) =>
  Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => value })
for (const name of ['offsetHeight', 'clientHeight']) size(name, 600)
for (const name of ['offsetWidth', 'clientWidth']) size(name, 1200)
HTMLElement.prototype.scrollTo = (() => {}) as typeof HTMLElement.prototype.scrollTo
HTMLElement.prototype.scrollIntoView = () => {}
HTMLElement.prototype.showPopover ??= () => {}
HTMLElement.prototype.hidePopover ??= () => {}
