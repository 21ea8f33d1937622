/** Changes whose values MySQL would alter without an error: they are refused, however the row is written. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Put } from '../../src/model/copy/change.ts'
import type { Cell } from '../../src/model/copy/rows.ts'
import type { ChangeWriter } from '../../src/model/follow/port.ts'
import { missing } from '../support/copy-systems.ts'
import { closingOf, makeTarget, type Target } from './mysql-apply-kit.ts'
import { changeTable, put, requestOf } from './postgresql-apply-kit.ts'

const absent = await missing('mysql')

/** Numbers of rows whose large value is left out: single UPDATEs, and the staging table. */
const PARTIAL = [1, 40]

describe.skipIf(absent !== '')(`changes that MySQL would alter ${absent}`, () => {
  let target: Target

  beforeAll(async () => {
    target = await makeTarget()
  })
  afterAll(async () => {
    await target.store[Symbol.asyncDispose]()
  })

  async function opened(name: string, columns: string, rows: string): Promise<ChangeWriter> {
    await target.place.sql(`CREATE TABLE ${name} (id int PRIMARY KEY, ${columns})`, `INSERT INTO ${name} ${rows}`)
    return await target.changes.open(requestOf([await changeTable(target.store, name, ['id'])]))
  }

  /** An update of row `id` whose last value the source left out. @param to new id */
  function kept(id: number, values: readonly Cell[], to = id): Put {
    return { row: [String(to), ...values, undefined], key: [String(to)], base: [String(id)] }
  }

  function every<T>(many: number, of: (id: number) => T): T[] {
    return Array.from({ length: many }, (_, at) => of(at + 1))
  }

  test('blanks that a varchar would cut', async () => {
    await using writer = await opened('cut', 'v varchar(5), big longtext', "SELECT seq, 'ab', 'x' FROM seq_1_to_40")
    const refused = async (puts: readonly Put[]): Promise<void> => {
      await expect(writer.apply(0, { puts, gone: [] })).rejects.toMatchObject({
        code: 'ROW_REFUSED',
        message: expect.stringContaining('Data truncated') as string,
      })
      await writer.rollBack()
    }
    await refused([put(['1', 'abcde   ', 'x'])])
    for (const many of PARTIAL) {
      await refused(every(many, (id) => kept(id, ['abcde   '])))
      await refused(every(many, (id) => kept(id, ['abcde   '], 100 + id)))
    }
    expect(await target.place.rows('SELECT DISTINCT v FROM cut')).toEqual([['ab']])
  })

  test.each([0, 100])('blanks that a column would cut that was made shorter since (keys + %i)', async (by) => {
    const name = `shorter_${by}`
    await using writer = await opened(name, 'v varchar(9), big longtext', "SELECT seq, 'ab', 'x' FROM seq_1_to_40")
    await writer.apply(0, { puts: [put(['1', 'abcde', 'x'])], gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    await target.place.sql(`ALTER TABLE ${name} MODIFY v varchar(5)`)
    const puts = every(40, (id) => kept(id, ['abcde   '], by + id))
    await expect(writer.apply(0, { puts, gone: [] })).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await writer.rollBack()
    expect(await target.place.rows(`SELECT v, count(*) FROM ${name} GROUP BY v`)).toEqual([['ab', '39'], ['abcde', '1']]) // prettier-ignore
  })

  test('the error value of an enum is kept, beside cut blanks that are refused', async () => {
    const rows = "SELECT seq, 'a', 'ab', 'x' FROM seq_1_to_40"
    await using writer = await opened('zeros', "e enum('a','b'), v varchar(5), big longtext", rows)
    for (const many of PARTIAL) {
      for (const [from, to] of [
        [0, 0],
        [0, 100],
        [100, 0],
      ]) {
        // prettier-ignore
        const puts = (v: string): Put[] => every(many, (id) => kept(id + Number(from), ['', v], id + Number(to)))
        await expect(writer.apply(0, { puts: puts('abcde   '), gone: [] })).rejects.toMatchObject({
          code: 'ROW_REFUSED',
        })
        await writer.rollBack()
        const gone = from === to ? [] : every(many, (id) => [String(id + Number(from))])
        expect(await writer.apply(0, { puts: puts('abcde'), gone })).toEqual({ lacking: [] })
        expect(await writer.commit(closingOf())).toBe('committed')
      }
    }
    expect(await target.place.rows('SELECT e + 0, v, count(*) FROM zeros GROUP BY e, v')).toEqual([
      ['0', 'abcde', '40'],
    ])
    // The session is strict again.
    await expect(writer.apply(0, { puts: [kept(1, ['a', 'abcdef'])], gone: [] })).rejects.toThrow(/too long/i)
  })

  test('numbers that DOUBLE(M,D) and FLOAT(M,D) would round', async () => {
    const columns = 'd double(10,2), f float(10,2), big longtext'
    await using writer = await opened('rounds', columns, 'SELECT seq, 0, 0, NULL FROM seq_1_to_40')
    const [exact, near] = [Math.fround(1.24), Math.fround(1.23987)]
    for (const [d, f, name] of [
      [1.23987, exact, 'd'],
      [1.24, near, 'f'],
    ] as const) {
      const refusal = { code: 'ROW_REFUSED', message: expect.stringContaining(`${name}: `) as string }
      await expect(writer.apply(0, { puts: [put(['1', d, f, 'x'])], gone: [] })).rejects.toMatchObject(refusal)
      await writer.rollBack()
      for (const many of PARTIAL) {
        const puts = every(many, (id) => kept(id, [d, f]))
        await expect(writer.apply(0, { puts, gone: [] })).rejects.toMatchObject(refusal)
        await writer.rollBack()
      }
    }
    await writer.apply(0, { puts: [put(['1', 1.24, exact, 'x']), kept(2, [1.24, exact])], gone: [] })
    expect(await writer.commit(closingOf())).toBe('committed')
    const rows = 'SELECT d, f, count(*) FROM rounds GROUP BY d, f ORDER BY d'
    expect(await target.place.rows(rows)).toEqual([
      ['0', '0', '38'],
      ['1.24', '1.24', '2'],
    ])
  })
})
