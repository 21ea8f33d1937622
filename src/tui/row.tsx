/** One row of the terminal. */
import type { ReactNode } from 'react'
import { createElement, memo } from 'react'
import { Text } from 'ink'
import type { Line } from './draw/line.ts'
import { LOOKS, toAscii } from './draw/theme.ts'

type Props = { readonly line: Line; readonly columns: number; readonly ascii: boolean }

const same = (a: Props, b: Props): boolean =>
  a.columns === b.columns &&
  a.line.length === b.line.length &&
  a.line.every((s, i) => s.text === b.line[i]?.text && s.tone === b.line[i].tone)

/**
 * The row as Ink text. It is made without `<Text>` at the outside because only so it can be given an exact width and height: Yoga then
 * never measures it. Ink keeps every text it ever measured in a map that nothing empties, and a run that goes on for a night would
 * fill the memory with rows.
 */
export const Row = memo(function Row({ line, columns, ascii }: Props): ReactNode {
  const style = { width: columns, height: 1, flexShrink: 0, textWrap: 'truncate-end' }
  return createElement(
    'ink-text',
    { style },
    ...line.map((s, i) => (
      <Text key={i} {...LOOKS[s.tone]}>
        {ascii ? toAscii(s.text) : s.text}
      </Text>
    )),
  )
}, same)
