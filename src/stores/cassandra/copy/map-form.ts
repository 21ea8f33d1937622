/** Which maps are JSON objects, and which are lists of pairs. */
import type { CqlType } from './types.ts'

/**
 * True for maps that are JSON objects: those with simple keys. Other maps are lists of pairs, in the order of their
 * keys. Between two Cassandra systems, frozen maps are lists too, because there the client's order is part of the
 * value.
 * @param spelled true if the map is copied between two Cassandra systems
 */
export function isByName({ key, frozen }: CqlType & { readonly kind: 'map' }, spelled: boolean): boolean {
  return key.kind === 'simple' && !(spelled && frozen)
}
