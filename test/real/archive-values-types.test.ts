/**
 * Columns that can make partitions of their values, and the names of these partitions; conditions are compared with a
 * separate count.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { ALL } from '../support/backend.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import {
  addOrders,
  bytesLiteral,
  done,
  makeOrders,
  named,
  orderCommands,
  ORDERS,
  plannedValues,
  textLiteral,
  whole,
  type Literal,
} from '../support/value-places.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function refusal(operation: Operation): Promise<string> {
  const { error } = (await perform(operation)).finished
  return error === undefined ? 'none' : `${error.code}: ${error.message} (${error.hint ?? ''})`
}

type Case = {
  readonly type: string
  readonly values: readonly (string | null)[]
  /** Lines of the plan. */
  readonly planned: readonly string[]
  /** Labels of the partitions that are archived, dropped and restored. */
  readonly run: readonly string[]
  readonly before?: string
  readonly literal?: Literal
}

const DAY = Math.floor(Date.now() / 86_400_000)

const bare: Literal = (value) => value ?? 'NULL'

const CASES: Readonly<Record<(typeof SYSTEMS)[number], readonly Case[]>> = {
  postgresql: [
    {
      type: 'boolean',
      values: ['t', 'f', 't', null],
      planned: ['NULL later 1', 'false later 1', 'true later 2'],
      run: ['true', 'NULL'],
    },
    {
      type: 'integer',
      values: ['-7', '7', '7', '0'],
      planned: ['-7 later 1', '0 later 1', '7 later 2'],
      run: ['7', '-7'],
    },
    {
      type: 'numeric(6,2)',
      values: ['1.0', '1.00', '1.50', 'NaN'],
      planned: ['1 later 2', '1.5 later 1', 'NaN later 1: an archive cannot store this value'],
      run: ['1', '1.5'],
    },
    { type: 'numeric', values: ['1.0', '1.00', '1.50'], planned: ['1 later 2', '1.5 later 1'], run: ['1'] },
    { type: 'char(4)', values: ['a', 'a  ', 'A'], planned: ['A later 1', 'a later 2'], run: ['a'] },
    {
      type: 'date',
      values: ['2024-02-29', '2024-02-29', 'infinity', '0044-03-15 BC'],
      planned: [
        '0044-03-15 BC later 1: an archive cannot store this value',
        '2024-02-29 later 2',
        'infinity later 1: an archive cannot store this value',
      ],
      run: ['2024-02-29'],
    },
    {
      type: 'uuid',
      values: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', null],
      planned: ['NULL later 1', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 later 1'],
      run: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    },
    {
      type: 'mood',
      before: `CREATE TYPE mood AS ENUM ('sad', 'Sad', 'it''s')`,
      values: ['sad', 'Sad', "it's", null, 'sad'],
      planned: ['NULL later 1', 'Sad later 1', "it's later 1", 'sad later 2'],
      run: ['sad', "it's"],
    },
    {
      type: 'text COLLATE blind',
      before: `CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      values: ['eu', 'EU', 'eu', 'é', 'e\u0301'],
      planned: ['"e\\u0301" later 1', 'EU later 1', 'eu later 2', 'é later 1'],
      run: ['eu', '"e\\u0301"'],
    },
    {
      type: 'varchar(30)',
      values: ['\t', '\u202e\u200b', '😀', '\\'],
      planned: ['"\\u0009" later 1', '"\\u202e\\u200b" later 1', '\\ later 1', '😀 later 1'],
      run: ['"\\u0009"', '"\\u202e\\u200b"', '😀', '\\'],
    },
  ],
  mysql: [
    {
      type: 'tinyint(1)',
      values: ['1', '0', '2', null],
      planned: ['0 later 1', '1 later 1', '2 later 1', 'NULL later 1'],
      run: ['1', 'NULL'],
      literal: bare,
    },
    {
      type: 'bit(1)',
      values: ["b'1'", "b'0'", "b'1'"],
      planned: ['false later 1', 'true later 2'],
      run: ['true'],
      literal: bare,
    },
    {
      type: 'bigint unsigned',
      values: ['18446744073709551615', '3'],
      planned: ['18446744073709551615 later 1', '3 later 1'],
      run: ['18446744073709551615'],
      literal: bare,
    },
    {
      type: 'decimal(6,2)',
      values: ['1.0', '1.00', '-1.5'],
      planned: ['-1.5 later 1', '1 later 2'],
      run: ['1', '-1.5'],
      literal: bare,
    },
    {
      type: "enum('eu', 'us', 'it''s')",
      values: ['eu', "it's", null, 'eu'],
      planned: ['NULL later 1', 'eu later 2', "it's later 1"],
      run: ['eu', "it's"],
    },
    {
      type: 'date',
      values: ['2024-02-29', '2024-02-29', '0000-00-00'],
      planned: ['0000-00-00 later 1: an archive cannot store this value', '2024-02-29 later 2'],
      run: ['2024-02-29'],
      literal: textLiteral,
    },
    { type: 'char(4)', values: ['a', 'a  ', 'A'], planned: ['A later 1', 'a later 2'], run: ['a'] },
    {
      type: 'varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci',
      values: ['é', 'e', 'E', 'é '],
      planned: ['"é " later 1', 'E later 1', 'e later 1', 'é later 1'],
      run: ['é', 'e'],
    },
    {
      type: 'varchar(30) CHARACTER SET utf8mb4',
      values: ['\t', '😀', '\\', '\u0000'],
      planned: ['"\\u0000" later 1', '"\\u0009" later 1', '\\ later 1', '😀 later 1'],
      run: ['"\\u0000"', '"\\u0009"', '😀', '\\'],
      literal: bytesLiteral,
    },
    {
      type: 'varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci',
      values: ['é', 'e', 'E', 'é '],
      planned: ['"é " later 1', 'E later 1', 'e later 1', 'é later 1'],
      run: ['é', 'e'],
    },
    {
      type: "enum('eu', 'us', '') CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
      values: ['eu', 'us', ''],
      planned: ['"" later 1', 'eu later 1', 'us later 1'],
      run: ['eu', '""'],
    },
    {
      type: 'varchar(20) CHARACTER SET utf16 COLLATE utf16_unicode_ci',
      values: ['é', 'E', '😀'],
      planned: ['E later 1', 'é later 1', '😀 later 1'],
      run: ['é', '😀'],
    },
  ],
  sqlite: [
    {
      type: 'TEXT',
      values: ["'x'", "CAST(X'ff' AS TEXT)", "CAST(X'fe' AS TEXT)"],
      planned: ['x later 1', '\uFFFD later 2: it has invalid characters, or characters that stand for such bytes'],
      run: ['x'],
      literal: bare,
    },
    {
      type: 'INTEGER',
      values: ['1', '-1', '1', null],
      planned: ['-1 later 1', '1 later 2', 'NULL later 1'],
      run: ['1', 'NULL'],
    },
    {
      type: 'INTEGER',
      values: ['1', '1.5', "'one'"],
      planned: [`'one' later 1: it is not a valid INTEGER`, '1 later 1', '1.5 later 1: it is not a valid INTEGER'],
      run: ['1'],
      literal: bare,
    },
    {
      type: 'TEXT',
      values: [`'eu'`, `x'6575'`, `'x''6575'''`, `'a' || char(0) || 'b'`],
      planned: [
        '"a\\u0000b" later 1: sqlite does not compare it exactly',
        `X'6575' later 1: it is not a valid TEXT`,
        'eu later 1',
        `x'6575' later 1`,
      ],
      run: ['eu', `x'6575'`],
      literal: bare,
    },
    {
      type: 'VARCHAR(20) COLLATE RTRIM',
      values: ['eu', 'eu ', 'eu'],
      planned: ['"eu " later 1', 'eu later 2'],
      run: ['eu'],
    },
  ],
}

const REFUSED: Readonly<Record<(typeof SYSTEMS)[number], readonly string[]>> = {
  postgresql: ['real', 'timestamp', 'jsonb', 'bytea', 'text[]', 'interval', 'int4range'],
  mysql: ['double', 'datetime', 'blob', 'time'],
  sqlite: ['REAL', 'BLOB', 'DATETIME', 'BOOLEAN', 'DATE'],
}

describe.each(SYSTEMS)('values of %s', (system: System & (typeof SYSTEMS)[number]) => {
  const why = WITHOUT.get(system) ?? ''

  // Each day tests one half of the types: each type is a table that is archived and restored.
  for (const one of CASES[system].filter((_, i) => ALL || i % 2 === DAY % 2)) {
    it.skipIf(why !== '')(`${one.type} ${one.values.length}${why}`, { timeout: 60_000 }, async () => {
      const place = await makePlace(system, folder.path)
      if (one.before !== undefined) await place.sql(one.before)
      const orders = await makeOrders(place, folder.path, one.type, one.values, one.literal)
      const { plan, run, drop, restore, verify } = orderCommands(orders)
      const standing = `SELECT id, region, note FROM ${ORDERS} ORDER BY id`
      const before = await place.rows(standing)
      expect(plannedValues(await done(plan))).toEqual(one.planned)
      await done(named(run, ...one.run))
      await done(verify)
      await done(named(drop, ...one.run))
      const [counted, wanted] = await whole(orders)
      if (system !== 'sqlite' || one.literal === undefined) expect(counted).toBe(wanted)
      const gone = one.run.flatMap((label) => one.planned.find((line) => line.startsWith(`${label} later`)) ?? [])
      const many = gone.reduce((sum, line) => sum + Number(/ later (\d+)/.exec(line)?.[1]), 0)
      expect(await place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([[String(one.values.length - many)]])
      await done(named(restore, ...one.run))
      expect(await place.rows(standing)).toEqual(before)
    })
  }

  it.skipIf(why !== '')(`of other types cannot make partitions${why}`, { timeout: 60_000 }, async () => {
    for (const type of REFUSED[system]) {
      const own = join(folder.path, `${system}-${type.replaceAll(/\W/g, '')}`)
      mkdirSync(own)
      const orders = await makeOrders(await makePlace(system, own), own, type, [])
      expect(await refusal(orderCommands(orders).plan), type).toMatch(
        /^BAD_FLAG: .*orders\.region cannot be archived by value: its type is .* \(name a column of texts or whole numbers with --by-value/,
      )
    }
  })

  it.skipIf(why !== '')(`that are too long or too many${why}`, { timeout: 60_000 }, async () => {
    const type = system === 'mysql' ? 'varchar(400)' : 'text'
    const orders = await makeOrders(await makePlace(system, folder.path), folder.path, type, [
      'é'.repeat(150),
      'x'.repeat(151),
    ])
    const { plan, run, drop, restore } = orderCommands(orders)
    expect(plannedValues(await done(plan))).toEqual([
      `${'x'.repeat(60)}… later 1: a name of 151 characters is too long for a partition: the limit is 150`,
      `${'é'.repeat(150)} later 1`,
    ])
    await done(named(run, 'é'.repeat(150)))
    await done(drop)
    await done(named(restore, 'é'.repeat(150)))
    const [counted, wanted] = await whole(orders)
    expect(counted).toBe(wanted)
    await addOrders(
      orders,
      Array.from({ length: 1000 }, (_, n) => `v${n}`),
    )
    expect(await refusal(plan)).toMatch(/^BAD_FLAG: .*orders\.region has more than 1000 values/)
  })
})
