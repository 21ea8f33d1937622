/** Objects without undefined fields, for types with optional fields (exactOptionalPropertyTypes). */

/** @returns the fields in the same order, without those that are undefined */
export function givenFields<T extends object>(fields: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as { readonly [K in keyof T]?: Exclude<T[K], undefined> }
}
