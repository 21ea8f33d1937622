/** Wrappers of a store must name the optional members that they lack, so that a new member of a port is never lost. */

/** Names of the optional members of a port. */
export type OptionalNames<T> = { [K in keyof T]-?: Pick<T, K> extends Required<Pick<T, K>> ? never : K }[keyof T]

/** Each optional member; null if the wrapper lacks it, even if the wrapped port has it. */
export type OptionalAnswers<T> = { readonly [K in OptionalNames<T>]: NonNullable<T[K]> | null }

/**
 * The optional members of a port that are not null. The compiler checks that all of them are named.
 * @param answers all optional members: forwarded if the wrapped port has them; null if it does not, or if the wrapper
 * refuses them
 */
export function presentMembers<T>(answers: OptionalAnswers<T>): Partial<Pick<T, OptionalNames<T>>> {
  const kept = Object.entries(answers).filter(([, member]) => member !== null)
  return Object.fromEntries(kept) as Partial<Pick<T, OptionalNames<T>>>
}

/** A method of the wrapped port, bound to that port; null if the port lacks it. */
export function forwarded<T extends object, K extends OptionalNames<T>>(below: T, name: K): NonNullable<T[K]> | null {
  const member: unknown = below[name]
  return typeof member === 'function' ? (member.bind(below) as NonNullable<T[K]>) : null
}
