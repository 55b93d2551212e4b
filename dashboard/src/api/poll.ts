/** How often a list is read again of which no frame tells. */
import type { Page } from './types'

/** Soon while one of its items is on its way; else at rest, or not at all. */
export const sooner =
  <Item>(onItsWay: (item: Item) => boolean, soon: number, rest: number | false = false) =>
  ({ state }: { state: { data?: { pages: Page<Item>[] } } }) =>
    state.data?.pages.some(page => page.items.some(onItsWay)) ? soon : rest
