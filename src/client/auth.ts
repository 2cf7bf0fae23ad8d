export type Ask = () => string | Promise<string>

// By the caller's function: a hundred uploads that share it share its answers, and one refresh serves them all.
const tokens = new WeakMap<Ask, Promise<string>>()

/**
 * The value of `Authorization`: asked for once, and again when a server has refused it. A failure to get one is not
 * remembered.
 *
 * @param refused - Only this one is asked for again: meanwhile another request may have got a new one.
 */
export function tokenOf(ask: Ask, refused?: Promise<string>): Promise<string> {
  const known = tokens.get(ask)
  if (known && known !== refused) return known
  const token = (async () => await ask())()
  tokens.set(ask, token)
  token.catch(() => tokens.delete(ask))
  return token
}
