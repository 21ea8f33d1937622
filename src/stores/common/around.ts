/** For a view around a store or a source: what it lacks of a port it has to say by name, so that a new member of a port is never lost on its way. */

/** Names of the members that a port's implementations may lack. */
export type OptionalNames<T> = { [K in keyof T]-?: Pick<T, K> extends Required<Pick<T, K>> ? never : K }[keyof T]

/** Each member that may be lacking, or null: the view has none of it, whatever is below. */
export type Answers<T> = { readonly [K in OptionalNames<T>]: NonNullable<T[K]> | null }

/**
 * The optional members of a port, without those that are null. That all of them are named is checked where this is compiled.
 * @param answers all optional members: forwarded where the port below has them, and null where that has none or the view refuses them
 */
export function present<T>(answers: Answers<T>): Partial<Pick<T, OptionalNames<T>>> {
  const kept = Object.entries(answers).filter(([, member]) => member !== null)
  return Object.fromEntries(kept) as Partial<Pick<T, OptionalNames<T>>>
}

/** A member of the port below, called as its own, or null where it has none. */
export function forwarded<T extends object, K extends OptionalNames<T>>(below: T, name: K): NonNullable<T[K]> | null {
  const member: unknown = below[name]
  return typeof member === 'function' ? (member.bind(below) as NonNullable<T[K]>) : null
}
