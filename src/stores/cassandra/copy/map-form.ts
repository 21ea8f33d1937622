/** Which maps are JSON objects, and which are lists of pairs. */
import type { CqlType } from './types.ts'

/**
 * Maps with simple keys are objects; others are lists of pairs, in the order of their keys. Frozen maps between two
 * Cassandra systems are lists too, because there the client's order is part of the value.
 * @param spelled whether the map is copied between two Cassandra systems
 */
export function isByName({ key, frozen }: CqlType & { readonly kind: 'map' }, spelled: boolean): boolean {
  return key.kind === 'simple' && !(spelled && frozen)
}
