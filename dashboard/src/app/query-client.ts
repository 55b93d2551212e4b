/** The cache of what was read, each tenant's apart. A frame from the server makes entries stale; nothing polls that has frames. */
import { hashKey, QueryClient } from '@tanstack/react-query'
import { tenantSlug } from '@/api/tenant'

const LONGEST_WAIT_S = 60

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      queryKeyHashFn: key => `${tenantSlug()} ${hashKey(key)}`,
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => {
        const status = (error as { status?: number }).status ?? 0
        return count < 2 && (status === 0 || status === 429 || status >= 502)
      },
      retryDelay: (count, error) => {
        const asked = (error as { retryAfter?: number }).retryAfter
        return asked ? Math.min(asked, LONGEST_WAIT_S) * 1000 : 1000 * 2 ** count
      },
    },
  },
})
