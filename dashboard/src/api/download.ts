/** Files from the server. */
import { answered, type Query } from './client'

/** Reads a file and hands it to the browser: a plain link could not say which tenant it is for. */
export async function download(path: string, query: Query, name: string) {
  const response = await answered('GET', path, { query }, '*/*')
  const named = /filename="([^"/\\]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1]
  const url = URL.createObjectURL(await response.blob())
  const link = document.createElement('a')
  link.href = url
  link.download = named ?? name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
