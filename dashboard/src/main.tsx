import './styles.css'
import { CSPProvider } from '@base-ui/react/csp-provider'
import { QueryClientProvider } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { Gate } from './app/gate'
import { queryClient } from './app/query-client'

const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce
const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <CSPProvider nonce={nonce}>
      <QueryClientProvider client={queryClient}>
        <Gate />
      </QueryClientProvider>
    </CSPProvider>,
  )
}
