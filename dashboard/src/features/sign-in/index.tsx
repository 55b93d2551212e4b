/** The way in: password and second factor, a passkey alone, or a link. No default password exists. */
import { useState } from 'react'
import { dropLink, linkSecret } from '@/app/session'
import { ClaimForm, InviteForm, ResetForm } from './links'
import { PasswordForm } from './password'

export { JoinPage } from './links'

export function SignIn() {
  const [link, setLink] = useState(linkSecret)
  const drop = () => {
    dropLink()
    setLink(null)
  }
  if (link?.kind === 'claim') return <ClaimForm secret={link.secret} onDrop={drop} />
  if (link?.kind === 'reset') return <ResetForm secret={link.secret} onDrop={drop} />
  if (link?.kind === 'invite') return <InviteForm secret={link.secret} />
  return <PasswordForm />
}
