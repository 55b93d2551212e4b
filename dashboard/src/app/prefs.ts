/** What this browser remembers: theme, density, sidebar. */
import { store } from './store'

export type Theme = 'dark' | 'light'
export type Density = 'compact' | 'default' | 'comfortable'

const root = document.documentElement
const theme = store<Theme>(root.dataset.theme === 'light' ? 'light' : 'dark')
const density = store<Density>((root.dataset.density as Density) ?? 'default')
/** On a narrow screen the sidebar lies over the page, and is closed until it is asked for. */
export const isNarrow = () => innerWidth < 768
const sidebar = store(localStorage.getItem('side') !== '0' && !isNarrow())

export const useTheme = () => theme.use(t => t)
export const toggleTheme = () => {
  const next = theme.get() === 'dark' ? 'light' : 'dark'
  root.dataset.theme = next
  localStorage.setItem('theme', next)
  theme.set(next)
}

export const useDensity = () => density.use(d => d)
export const setDensity = (next: Density) => {
  root.dataset.density = next
  localStorage.setItem('density', next)
  density.set(next)
}
export const rowHeight = (d: Density) => (d === 'compact' ? 28 : d === 'comfortable' ? 42 : 34)

export const useSidebar = () => sidebar.use(s => s)
export const toggleSidebar = () => {
  if (!isNarrow()) localStorage.setItem('side', sidebar.get() ? '0' : '1')
  sidebar.set(!sidebar.get())
}
/** One went where one wanted: what lay over the page goes. */
export const coverNothing = () => {
  if (isNarrow()) sidebar.set(false)
}
