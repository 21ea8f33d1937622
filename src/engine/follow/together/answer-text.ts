/** What a range came to as text, for whoever has asked for it. */
import type { RangeAnswer } from '../compare/range-answer.ts'

/** Values of so many rows are told of each range; of the others the key says which are to be read again. */
const WITH_VALUES = 100

export function answerText({ rows, targetRows, differences, ...rest }: RangeAnswer): string {
  return JSON.stringify({
    rows: rows.toString(),
    targetRows: targetRows.toString(),
    ...rest,
    differences: differences.map(({ key, kind, columns }, at) => ({
      key,
      kind,
      columns: at < WITH_VALUES ? columns : [],
    })),
  })
}

export function answerOf(text: string): RangeAnswer {
  const { rows, targetRows, ...rest } = JSON.parse(text) as Omit<RangeAnswer, 'rows' | 'targetRows'> & {
    readonly rows: string
    readonly targetRows: string
  }
  return { ...rest, rows: BigInt(rows), targetRows: BigInt(targetRows) }
}
