import { fileURLToPath } from 'node:url'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// `npm run dev` proxies the API to a running server, or to `node tests/fixtures/serve.mjs`.
const backend = process.env.SHIELDOPS_DEV_API ?? 'http://127.0.0.1:4300'

const of = (folder: string, names: string[]) => `[\\\\/]src[\\\\/]${folder}[\\\\/](${names.join('|')})\\.tsx?$`
const any = (...tests: string[]) => new RegExp(tests.join('|'))
const shellModules = any(
  of('api', ['client', 'intent', 'queries', 'tenant']),
  of('app', [
    ...['automation', 'gate', 'hotkeys', 'names', 'nav', 'prefs', 'query-client', 'reauth'],
    ...['router', 'search', 'session', 'shell', 'sidebar', 'store', 'tenant-switch', 'toast'],
  ]),
  of('ui', ['basic', 'format', 'logo', 'menu', 'states', 'time', 'tip']),
)
/** What several pages share and the frame does not. */
const pageModules = any(
  of('app', ['guard', 'stable-rows', 'use-list']),
  of('ui', ['cite', 'entity', 'index', 'labels', 'loaded', 'new-pill', 'parts', 'search-bar', 'severity']),
)
const SHELL_ICONS = [
  ...[
    'activity',
    'bell',
    'bell-ring',
    'building-2',
    'chevron-down',
    'circle-pause',
    'file-code',
    'flask-conical',
    'gauge',
    'lock',
  ],
  ...['grid-3x3', 'list-todo', 'log-out', 'moon', 'octagon-pause', 'panel-left', 'radar', 'scale', 'scroll-text'],
  ...['search', 'settings', 'shield-alert', 'shield-check', 'sun', 'triangle-alert', 'wrench', 'zap'],
]
const shellIcons = new RegExp(
  `node_modules[\\\\/]lucide-react[\\\\/]dist[\\\\/]esm[\\\\/]((?!icons[\\\\/])|icons[\\\\/](${SHELL_ICONS.join('|')})\\.)`,
)

const FIRST = /assets\/(react|tanstack|shell|rolldown-runtime)-/

export default defineConfig({
  plugins: [react(), tailwind()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  html: { cspNonce: '__CSP_NONCE__' },
  server: { proxy: { '/api': { target: backend, ws: true } } },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    // What is there before any page need not be named again for each.
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_file, deps, { hostType }) =>
        hostType === 'html' ? deps : deps.filter(d => !FIRST.test(d)),
    },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/, priority: 30 },
            // One file for what every page needs, so that a page is a few requests, not forty.
            { name: 'tanstack', test: /node_modules[\\/]@tanstack[\\/](?!.*virtual)/, priority: 25 },
            // The frame that is there before any page: `npm run build` refuses when it grows beyond its budget.
            { name: 'shell', test: shellModules, priority: 22 },
            { name: 'shell', test: shellIcons, priority: 21 },
            { name: 'icons', test: /node_modules[\\/]lucide-react[\\/]/, priority: 20 },
            { name: 'pages', test: pageModules, priority: 10 },
          ],
        },
      },
    },
  },
})
