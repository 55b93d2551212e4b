/** The cache of what was read. A frame from the server makes entries stale; nothing polls that has frames. */
import { QueryClient } from '@tanstack/react-query'

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => {
        const status = (error as { status?: number }).status ?? 0
        return count < 2 && (status === 0 || status === 429 || status >= 502)
      },
    },
  },
})
