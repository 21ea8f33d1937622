/** Columns of Cassandra whose names exist already in the driver's row objects. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'

const NAMES = [
  'values',
  'keys',
  'get',
  'forEach',
  'hasOwnProperty',
  '__columns',
  '__proto__',
  'constructor',
  '1',
] as const

let folder = ''
let keyspace: TestKeyspace
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-cassandra-names-'))
  keyspace = await newKeyspace()
}, 120_000)
afterAll(async () => {
  await keyspace[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const SHAPES = {
  'the key of a partition': (name: string) => ({ columns: `"${name}" int, c int, v text, PRIMARY KEY ("${name}", c)`, list: `"${name}", c, v` }),
  'a column that tells rows apart': (name: string) => ({ columns: `k int, "${name}" int, v text, PRIMARY KEY (k, "${name}")`, list: `k, "${name}", v` }),
  'a value': (name: string) => ({ columns: `k int, c int, "${name}" text, PRIMARY KEY (k, c)`, list: `k, c, "${name}"` }),
  'a static value': (name: string) => ({ columns: `k int, c int, "${name}" text static, PRIMARY KEY (k, c)`, list: `k, c, "${name}"` }),
} as const // prettier-ignore

let number = 0

test.for(Object.entries(SHAPES))('named %s', { timeout: 180_000 }, async ([, shape]) => {
  const target = await makePlace('sqlite', folder)
  const other = await newKeyspace()
  try {
    for (const name of NAMES) {
      const table = `t${number++}`
      const { columns, list } = shape(name)
      await keyspace.cql(`CREATE TABLE ${table} (${columns})`)
      await other.cql(`CREATE TABLE ${table} (${columns})`)
      for (const at of [1, 2, 3]) await keyspace.cql(`INSERT INTO ${table} (${list}) VALUES (${at}, ${at}, 'v${at}')`)
      for (const place of [target, other]) {
        const label = `${name} to ${place === target ? 'SQLite' : 'Cassandra'}`
        const { finished } = await perform(
          copyOf(keyspace, place, table, place === other ? { onExisting: 'upsert' } : {}),
        )
        expect(finished, label).toMatchObject({ exitCode: 0, totals: { written: '3' } })
        const diff = await perform({ kind: 'diff', from: keyspace.url, to: place.url, tables: [table], rename: {}, limit: 9, fix: false, deleteExtra: false, workers: 2 }) // prettier-ignore
        expect(diff.finished, label).toMatchObject({ exitCode: 0, totals: { rows: '3', targetRows: '3' } })
      }
      expect(await target.rows(`SELECT ${list} FROM ${table} ORDER BY 1`)).toEqual(
        [1, 2, 3].map((at) => [`${at}`, `${at}`, `v${at}`]),
      )
      const repaired = await perform({ kind: 'diff', from: other.url, to: target.url, tables: [table], rename: {}, limit: 9, fix: true, deleteExtra: true, workers: 2 }) // prettier-ignore
      expect(repaired.finished.totals, name).toMatchObject({ rows: '3', targetRows: '3', fixed: '0' })
    }
  } finally {
    await other[Symbol.asyncDispose]()
  }
})
