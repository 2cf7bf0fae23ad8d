export type Ask = () => string | Promise<string>

// By the caller's function: a hundred uploads that share it share its answers, and one refresh serves them all.
const tokens = new WeakMap<Ask, Promise<string>>()

/** The value of `Authorization`: asked for once, until it is forgotten. A failure to get one is not remembered. */
export function tokenOf(ask: Ask): Promise<string> {
  const known = tokens.get(ask)
  if (known) return known
  const token = (async () => await ask())()
  tokens.set(ask, token)
  token.catch(() => forgetToken(ask, token))
  return token
}

/** A server has refused it. Only what was refused goes: meanwhile another request may have got a new one. */
export function forgetToken(ask: Ask, token: Promise<string> | undefined): void {
  if (tokens.get(ask) === token) tokens.delete(ask)
}
