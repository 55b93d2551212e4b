/** The frame of every page: navigation, header, banner, page, event panel, palette. */
import { Outlet, useNavigate } from '@tanstack/react-router'
import { Moon, PanelLeft, Search, Sun } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { Btn, Kbd } from '@/ui/basic'
import { Tip } from '@/ui/tip'
import { HaltButton, Halted } from './automation'
import { useHotkeys } from './hotkeys'
import { mayOpen, NAV_ITEMS } from './nav'
import { coverNothing, toggleSidebar, toggleTheme, useSidebar, useTheme } from './prefs'
import { asking } from './reauth'
import { useSearchParams } from './search'
import { useCan, useUser } from './session'
import { Sidebar } from './sidebar'
import { TenantBanner } from './tenant-switch'
import { Toasts } from './toast'

const LivePill = lazy(() => import('./live-pill'))
const loadPalette = () => import('./palette')
const Palette = lazy(loadPalette)
const Help = lazy(() => import('./help'))
const ReauthDialog = lazy(() => import('./reauth-dialog'))
const EventPanel = lazy(() => import('@/features/events/panel'))
const PALETTE_IDLE_MS = 1_200

function Header({ onSearch }: { onSearch: () => void }) {
  const theme = useTheme()
  return (
    <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line px-3">
      <Tip label="Sidebar" keys="[">
        <Btn v="ghost" icon aria-label="Toggle sidebar" onClick={toggleSidebar}>
          <PanelLeft size={15} />
        </Btn>
      </Tip>
      <button
        type="button"
        onClick={onSearch}
        onPointerEnter={() => void loadPalette()}
        className="mx-auto flex h-7.5 max-w-[480px] min-w-0 flex-1 items-center gap-2 rounded-md border border-line-strong bg-surface px-2.5 text-sm text-fg-3 hover:border-control"
      >
        <Search size={14} aria-hidden="true" />
        <span className="truncate">Search or run a command</span>
        <Kbd k="mod+k" className="ml-auto max-sm:hidden" />
      </button>
      <Suspense fallback={<span className="w-16" />}>
        <LivePill />
      </Suspense>
      <HaltButton />
      <Tip label={theme === 'dark' ? 'Light theme' : 'Dark theme'} keys="t">
        <Btn v="ghost" icon aria-label="Toggle theme" onClick={toggleTheme}>
          {theme === 'dark' ? <Sun size={15} /> : <Moon size={15} />}
        </Btn>
      </Tip>
    </header>
  )
}

/** On a narrow screen: what lies under the sidebar, and closes it. */
function Cover() {
  if (!useSidebar()) return null
  return (
    <button
      type="button"
      aria-label="Close the navigation"
      className="fixed inset-0 z-20 bg-black/50 md:hidden"
      onClick={coverNothing}
    />
  )
}

export function Shell() {
  const [palette, setPalette] = useState(false)
  const [paletteReady, setPaletteReady] = useState(false)
  const [help, setHelp] = useState(false)
  const { event } = useSearchParams()
  const navigate = useNavigate()
  const can = useCan()
  const { operator } = useUser()
  const proving = asking.use(a => a !== null)
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette().then(() => setPaletteReady(true)), PALETTE_IDLE_MS)
    return () => clearTimeout(timer)
  }, [])
  const openPalette = () => {
    setPaletteReady(true)
    setPalette(true)
  }
  useHotkeys([
    {
      keys: 'mod+k',
      label: 'Search and commands',
      group: 'General',
      run: () => (palette ? setPalette(false) : openPalette()),
    },
    { keys: '?', label: 'Keyboard shortcuts', group: 'General', run: () => setHelp(shown => !shown) },
    { keys: '[', label: 'Toggle sidebar', group: 'General', run: toggleSidebar },
    { keys: 't', label: 'Toggle theme', group: 'General', run: toggleTheme },
    ...NAV_ITEMS.filter(item => mayOpen(item, can, operator)).map(item => ({
      keys: item.keys,
      label: `Go to ${item.label.toLowerCase()}`,
      group: 'Go to',
      run: () => void navigate({ to: item.to }),
    })),
  ])
  return (
    <div className="flex h-full">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-accent-solid focus:px-3 focus:py-1.5 focus:text-white"
      >
        Skip to content
      </a>
      <Sidebar />
      <Cover />
      <div className="flex min-w-0 flex-1 flex-col">
        <Header onSearch={openPalette} />
        <TenantBanner />
        <Halted />
        <div className="relative flex min-h-0 flex-1">
          <main id="main" tabIndex={-1} className="min-h-0 min-w-0 flex-1 outline-none">
            <Suspense>
              <Outlet />
            </Suspense>
          </main>
          {event && (
            <Suspense>
              <EventPanel key={event} id={event} />
            </Suspense>
          )}
        </div>
      </div>
      <Toasts />
      <Suspense>
        {paletteReady && <Palette open={palette} onOpenChange={setPalette} onHelp={() => setHelp(true)} />}
        {proving && <ReauthDialog />}
        {help && <Help open={help} onOpenChange={setHelp} />}
      </Suspense>
    </div>
  )
}
