import { fileURLToPath } from 'node:url'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// `npm run dev` proxies the API to a running server, or to `node tests/fixtures/serve.mjs`.
const backend = process.env.SHIELDOPS_DEV_API ?? 'http://127.0.0.1:4300'

export default defineConfig({
  plugins: [react(), tailwind()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  html: { cspNonce: '__CSP_NONCE__' },
  server: { proxy: { '/api': { target: backend, ws: true } } },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/, priority: 30 },
            // One file for what every page needs, so that a page is a few requests, not forty.
            { name: 'tanstack', test: /node_modules[\\/]@tanstack[\\/](?!.*virtual)/, priority: 25 },
            {
              name: 'shell',
              test: /[\\/]src[\\/](api|app|ui)[\\/](?!palette|help|modal|reason-dialog|reauth-dialog|confirm-dialog|time-chart|time-range|diff|once|table|qr|usage-view)/,
              priority: 10,
            },
            { name: 'icons', test: /node_modules[\\/]lucide-react[\\/]/, priority: 20 },
          ],
        },
      },
    },
  },
})
