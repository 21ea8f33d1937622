/** Which maps are objects in JSON, and which are lists of pairs. */
import type { CqlType } from './types.ts'

/**
 * Maps of single keys are objects; others are lists of pairs, in the order of their keys. So are frozen ones between two Cassandras, for there the
 * order is what the client made it, and part of the value.
 * @param spelled whether they travel between two Cassandras
 */
export function isByName({ key, frozen }: CqlType & { readonly kind: 'map' }, spelled: boolean): boolean {
  return key.kind === 'simple' && !(spelled && frozen)
}
