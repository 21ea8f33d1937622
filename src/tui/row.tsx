/** One row of the terminal, under the mark that says which. */
import type { ReactNode } from 'react'
import { createElement } from 'react'
import { Text } from 'ink'
import type { Line } from './draw/line.ts'
import { LOOKS, toAscii } from './draw/theme.ts'
import { MARK_CELLS, rowMark } from './terminal/row-mark.ts'

type Props = { readonly row: number; readonly line: Line; readonly columns: number; readonly ascii: boolean }

/** Whether two lines are the same text in the same tones. */
export function sameLine(a: Line, b: Line): boolean {
  return a.length === b.length && a.every((s, i) => s.text === b[i]?.text && s.tone === b[i].tone)
}

/**
 * The row as Ink text. It is made without `<Text>` at the outside because only so it can be given an exact width and height: Yoga then
 * never measures it. Ink keeps every text it ever measured in a map that nothing empties, and a run that goes on for a night would
 * fill the memory with rows.
 */
export function Row({ row, line, columns, ascii }: Props): ReactNode {
  const style = { width: columns + MARK_CELLS, height: 1, flexShrink: 0, textWrap: 'truncate-end' }
  return createElement(
    'ink-text',
    { style },
    rowMark(row),
    ...line.map((s, i) => (
      <Text key={i} {...LOOKS[s.tone]}>
        {ascii ? toAscii(s.text) : s.text}
      </Text>
    )),
  )
}
