/** Passkeys: what the server sends is JSON with base64url; what the browser wants is bytes. Source: WebAuthn level 3, section 5.1. */

type Json = Record<string, unknown>
type Described = { id: string; type: 'public-key'; transports?: AuthenticatorTransport[] }

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const base64 = text.replaceAll('-', '+').replaceAll('_', '/')
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}

export function textOf(bytes: ArrayBuffer | Uint8Array): string {
  const binary = Array.from(new Uint8Array(bytes), byte => String.fromCharCode(byte)).join('')
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const described = (list: unknown) =>
  Array.isArray(list) ? (list as Described[]).map(one => ({ ...one, id: bytesOf(one.id) })) : undefined

/** The server may wrap the options as `{ publicKey: … }`. */
const inner = (options: unknown) => ((options as Json).publicKey ?? options) as Json

export function requestOptions(options: unknown): PublicKeyCredentialRequestOptions {
  const from = inner(options)
  return {
    ...from,
    challenge: bytesOf(String(from.challenge)),
    allowCredentials: described(from.allowCredentials) ?? [],
  }
}

export function creationOptions(options: unknown): PublicKeyCredentialCreationOptions {
  const from = inner(options)
  const user = from.user as { id: string; name: string; displayName: string }
  return {
    ...(from as unknown as PublicKeyCredentialCreationOptions),
    challenge: bytesOf(String(from.challenge)),
    user: { ...user, id: bytesOf(user.id) },
    excludeCredentials: described(from.excludeCredentials) ?? [],
  }
}

export const passkeysWork = () => typeof PublicKeyCredential === 'function' && !!navigator.credentials

/** What people read when the browser refuses: it never says more than this. */
function explain(cause: unknown): Error {
  const name = cause instanceof DOMException ? cause.name : ''
  if (name === 'NotAllowedError') return new Error('The passkey was not used: cancelled, timed out, or none fits.')
  if (name === 'InvalidStateError') return new Error('This device or key has a passkey for this account already.')
  if (name === 'SecurityError')
    return new Error('Passkeys work only under the address that the server is configured with.')
  return new Error('The browser could not use a passkey here.')
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let credential: Credential | null
  try {
    credential = await ask()
  } catch (cause) {
    throw explain(cause)
  }
  if (!credential) throw new Error('The passkey was not used.')
  return credential as PublicKeyCredential
}

const common = (credential: PublicKeyCredential) => ({
  id: credential.id,
  rawId: textOf(credential.rawId),
  type: credential.type,
  clientExtensionResults: {},
})

export async function askPasskey(options: unknown) {
  const credential = await asked(() => navigator.credentials.get({ publicKey: requestOptions(options) }))
  const answer = credential.response as AuthenticatorAssertionResponse
  return {
    ...common(credential),
    response: {
      authenticatorData: textOf(answer.authenticatorData),
      clientDataJSON: textOf(answer.clientDataJSON),
      signature: textOf(answer.signature),
      userHandle: answer.userHandle ? textOf(answer.userHandle) : null,
    },
  }
}

export async function makePasskey(options: unknown) {
  const credential = await asked(() => navigator.credentials.create({ publicKey: creationOptions(options) }))
  const answer = credential.response as AuthenticatorAttestationResponse
  return {
    ...common(credential),
    response: {
      attestationObject: textOf(answer.attestationObject),
      clientDataJSON: textOf(answer.clientDataJSON),
      transports: answer.getTransports?.() ?? [],
    },
  }
}
