/** Faults that are known and open: a draw of that kind is passed over. What mends one takes it out of here. */
import type { System } from '../../support/copy-systems.ts'
import type { DrawnTable } from './shape.ts'

export type Known = {
  /** One sentence. */
  readonly why: string
  is(draw: { readonly from: System; readonly to: System; readonly table: DrawnTable }): boolean
}

export const KNOWN: readonly Known[] = []
