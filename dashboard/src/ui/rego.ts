/** The words, texts and remarks of Rego, for the editor. It colours; what is right is the server's to say. */
import { StreamLanguage, type StringStream } from '@codemirror/language'

const KEYWORDS = new Set('package import as default if else some in every not contains with'.split(' '))
const CONSTANTS: Record<string, string> = { true: 'bool', false: 'bool', null: 'null' }

type State = { raw: boolean }

/** To the end of a raw text, which may go over many lines. */
function raw(stream: StringStream, state: State) {
  state.raw = !stream.skipTo('`')
  if (state.raw) stream.skipToEnd()
  else stream.next()
  return 'string'
}

function token(stream: StringStream, state: State): string | null {
  if (state.raw) return raw(stream, state)
  if (stream.eatSpace()) return null
  if (stream.match(/^#.*/)) return 'comment'
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return 'string'
  if (stream.eat('`')) return raw(stream, state)
  if (stream.match(/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/)) return 'number'
  const word = stream.match(/^[A-Za-z_]\w*/)
  if (word && word !== true) return KEYWORDS.has(word[0]) ? 'keyword' : (CONSTANTS[word[0]] ?? null)
  stream.next()
  return 'punctuation'
}

export const rego = StreamLanguage.define<State>({
  name: 'rego',
  startState: () => ({ raw: false }),
  token,
  languageData: { commentTokens: { line: '#' } },
})
