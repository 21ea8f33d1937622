import { describe, expect, test } from 'vitest'
import type { Column, Expression, TableSpec } from '../../src/model/copy/column-type.ts'
import { checkedColumns, newlyChecked } from '../../src/engine/copy/plan/generated-columns.ts'

const WISHES = { rename: new Map(), onExisting: 'refuse', acceptLossy: [], verify: 'full' } as const
const ALIKE = { sameSystem: true, sameWords: true }

function column(sql: string, more: Partial<Expression> = {}): Column {
  const expression = { sql, stored: true, ...more }
  return { name: 'g', native: 'text', type: { kind: 'text' }, nullable: true, generated: true, expression }
}

const table = (own: Column): TableSpec => ({ table: { name: 't' }, key: ['id'], columns: [own], rows: 0n }) as never

/** @returns names of columns that are compared */
const checked = (one: Column, other: Column): readonly string[] =>
  checkedColumns(table(one), table(other), WISHES as never, ALIKE).map(({ from }) => from)

describe('expressions of both sides', () => {
  test('are different if one server prints them in two ways', () => {
    expect(() => checked(column('net * 2'), column('net * 3'))).toThrow('another expression')
    const by = { printedBy: '14' }
    expect(() => checked(column('net * 2', by), column('net * 3', by))).toThrow('another expression')
  })

  test('printed by different versions may be equal: their values are compared', () => {
    const [old, now] = [
      column('btrim(email)', { printedBy: '13' }),
      column('TRIM(BOTH FROM email)', { printedBy: '14' }),
    ]
    expect(checked(old, now)).toEqual(['g'])
  })

  test('with user-defined functions may be equal: their values are compared', () => {
    expect(checked(column('app.taxed(net)', { local: true }), column('taxed(net)', { local: true }))).toEqual(['g'])
  })

  test('are equal whatever the character set of a literal of ASCII letters', () => {
    expect(checked(column("json_value(`j`,_utf8mb4'$.a')"), column("json_value(`j`,_latin1'$.a')"))).toEqual(['g'])
    expect(() => checked(column("concat(_utf8mb4'ä')"), column("concat(_latin1'ä')"))).toThrow('another expression')
    expect(() => checked(column("concat(_binary'a')"), column("concat(_latin1'a')"))).toThrow('another expression')
  })

  test('that differ only in case and blanks are newly compared in plans of earlier versions', () => {
    const [one, other] = [column('net+1'), column('NET + 1')]
    const compared = checkedColumns(table(one), table(other), WISHES as never, ALIKE)
    expect(newlyChecked(table(one), compared, ALIKE)).toEqual(['g'])
    expect(newlyChecked(table(one), checkedColumns(table(one), table(one), WISHES as never, ALIKE), ALIKE)).toEqual([])
  })
})
