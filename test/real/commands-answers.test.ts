/** Output of the commands that read and prove, with the same rows and totals on each database. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { shareOf } from '../support/backend.ts'
import type { Said } from './commands-kit.ts'
import { appendCommits, historyOf, openStage, syncOf, validateOf, type Stage } from './commands-stage.ts'
import { batchOf } from './operation-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let stage: Stage
let catalog: string
/** Checks that a validation of each table performs. */
const CHECKS: Readonly<Record<string, string>> = {
  'sales/orders': '45',
  'crm/customers': '32',
  'events/clicks': '39',
  'finance/rates': '33',
  'big/m': '26',
}

beforeAll(async () => {
  stage = await openStage()
  catalog = stage.catalog
  await stage.say(batchOf(stage.lake, catalog))
  await appendCommits(stage)
  await stage.say(syncOf(catalog))
})
afterAll(() => stage[Symbol.dispose]())

const say: Stage['say'] = (operation) => stage.say(operation)
const lines: Stage['lines'] = (operation) => stage.lines(operation)
const sorted: Stage['sorted'] = (operation) => stage.sorted(operation)

describe('output of the read commands', { timeout: 300_000 }, () => {
  test.each(shareOf(Object.entries(CHECKS), 2))('validate %s', async (table, checks) => {
    const { finished, lines: said } = await say(validateOf(stage.at(table), catalog))
    expect(said.filter((line) => !line.startsWith('END'))).toEqual([])
    expect(finished).toMatchObject({ status: 'ok', exitCode: 0, totals: { checks } })
  })

  test('history', async () => {
    expect(await lines(historyOf(stage.at('sales/orders'), 6, catalog))).toMatchInlineSnapshot(`
      "v40 DELETE +0 -1 +0 -1654 bytes = 30 files 53726 bytes
      v39 WRITE +1 -0 +1819 -0 bytes = 31 files 55380 bytes
      v38 WRITE +1 -0 +1794 -0 bytes = 30 files 53561 bytes
      v37 WRITE +1 -0 +1592 -0 bytes = 29 files 51767 bytes
      v36 SET TBLPROPERTIES +0 -0 +0 -0 bytes = 28 files 50175 bytes
      v35 WRITE +1 -0 +1877 -0 bytes = 28 files 50175 bytes
      END ok 0 commits=6"
    `)
    expect(await lines(historyOf(stage.at('big/m'), 4, catalog))).toMatchInlineSnapshot(`
      "v41 +1 -0 +9 -0 bytes = 3803 files 74397124 bytes
      v40 +2 -0 +15 -0 bytes = 3802 files 74397115 bytes
      v39 +100 -10 +3904950 -380045 bytes = 3800 files 74397100 bytes
      v38 +100 -0 +3804950 -0 bytes = 3710 files 70872195 bytes
      END ok 0 commits=4"
    `)
    expect(await lines(historyOf(stage.at('finance/rates'), 100, catalog))).toMatchInlineSnapshot(`
      "v66 WRITE +1 -0 +631 -0 bytes = 13 files 8203 bytes
      v65 WRITE +1 -0 +631 -0 bytes = 12 files 7572 bytes
      v64 WRITE +1 -0 +631 -0 bytes = 11 files 6941 bytes
      v63 WRITE +1 -0 +631 -0 bytes = 10 files 6310 bytes
      v62 WRITE +1 -0 +632 -0 bytes = 9 files 5679 bytes
      v61 WRITE +1 -0 +631 -0 bytes = 8 files 5047 bytes
      v60 WRITE +1 -0 +631 -0 bytes = 7 files 4416 bytes checkpoint
      END ok 0 commits=7"
    `)
  })

  test('files: of a version, with a condition, and in the order of the log', async () => {
    const answered = [
      await sorted(stage.files('sales/orders', { where: 'year = 2024 AND month = 3' })),
      await sorted(stage.files('sales/orders', { asOf: { version: 3 }, where: 'amount > 900' })),
      await sorted(stage.files('crm/customers', { where: "country = 'DE' OR name < 'B'" })),
      await sorted(stage.files('big/m', { where: "day = '2024-01-12'", asOf: { version: 2 } })),
      await sorted(stage.files('big/m', { where: 'day IS NULL' })),
    ]
    expect(answered.join('\n\n')).toMatchInlineSnapshot(`
      "END ok 0 bytes=3487 files=2 version=40
      year=2024/month=3/part-00007-e9efc681-ecb3-454f-9c11-066ad3315793.c000.snappy.parquet 1587 12 v7
      year=2024/month=3/part-00008-11d50ce8-360e-4c0d-89f4-c41ba86c9777.c000.snappy.parquet 1900 23 v8

      END ok 0 bytes=1879 files=1 version=3
      year=2024/month=1/part-00001-516043b8-1435-4a20-b41e-890be983fa4b.c000.snappy.parquet 1879 22 v1

      END ok 0 bytes=1703 files=1 version=6
      col-6df6f3f7-7bb2-4d2c-97be-c919fb984477=DE/part-00001-5654b1bd-5cdc-4c5d-8f0f-2ad8c701806e.c000.snappy.parquet 1703 34 v6 i^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg000r95DABz9SNnZ

      END ok 0 bytes=15628 files=14 version=2
      m-0-22 22 v0
      m-0-42 42 v0
      m-0-62 62 v0
      m-0-82 82 v0
      m-1-2 1002 v1
      m-1-22 1022 v1
      m-1-42 1042 v1
      m-1-62 1062 v1
      m-1-82 1082 v1
      m-2-2 2002 v2
      m-2-22 2022 v2
      m-2-42 2042 v2
      m-2-62 2062 v2
      m-2-82 2082 v2

      END ok 0 bytes=9 files=1 version=41
      new-3 9 v41"
    `)
    const { catalog: _none, ...unknown } = stage.files('big/m')
    const fromLog = await say({ ...unknown, where: "day = '2024-01-12'" })
    const fromCatalog = await say(stage.files('big/m', { where: "day = '2024-01-12'" }))
    const paths = ({ lines: all }: Said): readonly string[] =>
      all.map((line) => line.split(' ')[0] as string).toSorted()
    expect(paths(fromCatalog)).toEqual(paths(fromLog))
    expect(fromCatalog.finished.totals).toEqual(fromLog.finished.totals)
  })

  test('changes', async () => {
    const changes = (table: string, fromVersion: number, toVersion: number): Operation => ({
      kind: 'changes',
      ...stage.read(table),
      fromVersion,
      toVersion,
    })
    expect(await lines(changes('sales/orders', 39, 40))).toMatchInlineSnapshot(`
      "v40 removed year=2024/month=3/part-00006-e52a5507-a82a-4cf1-89f9-11148b80ea56.c000.snappy.parquet 1654
      END ok 0 from=39 removed=1 to=40"
    `)
    expect(await lines(changes('big/m', 39, 41))).toMatchInlineSnapshot(`
      "v40 added new-1 7
      v40 added new-2 8
      v41 added new-3 9
      END ok 0 added=3 from=39 to=41"
    `)
    expect((await say(changes('big/m', 0, 41))).lines.at(-1)).toMatchInlineSnapshot(
      `"END ok 0 added=3903 from=0 removed=200 to=41 txn=39"`,
    )
  })

  test('performance-compare: each answer is the same, warm and cold', async () => {
    const compare = { kind: 'performance-compare', ...stage.read('sales/orders'), runs: 1, cold: false } as const
    expect(await lines(compare)).toMatchInlineSnapshot(`
      "plan 1 tables
      latest-version same 1 rows
      counts same 1 rows
      active-files same 30 rows
      files-of-partition same 4 rows
      min-max same 1 rows
      old-snapshot same 17 rows
      file-origin same 1 rows
      last-commits same 20 rows
      changes same 49 rows
      END ok 0 different=0 questions=9 runs=1 same=9 skipped=0"
    `)
    // A cold answer starts a process of its own, and takes time.
    const answers = ['latest-version same 1 rows', 'files-of-partition same 4 rows', 'changes same 49 rows'] as const
    const asked = shareOf(answers, 3)
    const questions = asked.map((answer) => answer.slice(0, answer.indexOf(' ')))
    expect(await lines({ ...compare, cold: true, questions })).toBe(
      [
        'plan 1 tables',
        ...asked,
        `END ok 0 different=0 questions=${asked.length} runs=1 same=${asked.length} skipped=0`,
      ].join('\n'),
    )
  })
})
