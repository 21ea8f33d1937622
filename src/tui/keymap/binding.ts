/** A binding of keys to a command, and where it works. */
import type { State } from '../state/state.ts'

export type KeyGroup =
  | 'MOVE'
  | 'FIND AND SORT'
  | 'ACT on the row or the marked rows'
  | 'RUN screen'
  | 'COMPARE screen'
  | 'ASK screen'
  | 'LOG screen'
  | 'PROGRAM'
  | 'DIALOGS'

/** Where a key works: on the screen, in an open dialog or prompt, or in both (`always`). */
export type KeyScope = 'screen' | 'dialog' | 'always'

type Entry = {
  /** Keys, named as in `KeyPress`. */
  readonly keys: readonly string[]
  /** Description for help, palette and docs. */
  readonly label: string
  readonly when: (state: State) => boolean
  /** Hint text of the last row, which may depend on the state. Without it there is no hint. */
  readonly hint?: string | ((state: State) => string)
  /** Key names in the hint; default: the first of `keys`. */
  readonly hintKeys?: string
  /** Rank of the hint (default 5). If the last row is too short, hints with the highest rank are dropped first. */
  readonly rank?: number
  /** Condition for the hint, in addition to `when`. */
  readonly hintWhen?: (state: State) => boolean
  /** Line of the help page for this binding and its counterpart: keys and text. */
  readonly help?: readonly [string, string]
  /** True: the help page of all keys has no line for this binding, because another line covers it. */
  readonly unlisted?: true
  /** True: listed in the palette. Cursor movement is not listed. */
  readonly palette?: true
}

export type Binding<C extends string = string> = Entry & {
  readonly command: C
  readonly group: KeyGroup
  readonly scope: KeyScope
}

type Row<C extends string> = readonly [
  C,
  readonly string[],
  string,
  (state: State) => boolean,
  Partial<Omit<Entry, 'keys' | 'label' | 'when'>>?,
]

export function section<const C extends string>(
  group: KeyGroup,
  scope: KeyScope,
  rows: readonly Row<C>[],
): readonly Binding<C>[] {
  return rows.map(([command, keys, label, when, more]) => ({ command, keys, label, when, group, scope, ...more }))
}
