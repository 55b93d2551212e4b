import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  test: {
    environment: 'happy-dom',
    setupFiles: ['tests/setup.ts'],
    include: ['tests/*.test.{ts,tsx}'],
    pool: 'threads',
    maxWorkers: 2,
    css: false,
    restoreMocks: true,
    testTimeout: 90_000,
  },
})
