/** A small table whose quarter 2023-Q1 is archived and dropped, and queries on it. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { RowValue } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import { makePlace, perform, type Place, type Ran, type System } from './copy-systems.ts'

/** Timestamps of the rows: the archived quarter, and one that stays. */
export const COLD = '2023-02-01'
export const HOT = '2026-11-01'

export type Asked = {
  readonly rows: readonly (readonly RowValue[])[]
  readonly columns: readonly string[]
  readonly finished: RunFinished
  /** Log messages, what `query.sources` reports as not read, and what it reports as compared as text. */
  readonly notes: string
  readonly events: Ran['events']
}

export type QueryPlace = {
  readonly place: Place
  readonly to: string
  ask(query: string, more?: { readonly table?: string; readonly verifyFiles?: boolean }): Promise<Asked>
  /** Archives and drops 2023-Q1. */
  archive(more?: object): Promise<void>
}

/**
 * A table `s` with `id`, `ts` and more columns: partitions by range of PostgreSQL, a plain table elsewhere.
 * @param columns definitions behind `id` and `ts`
 * @param rows values of both kinds of rows, as SQL
 * @param first statements before the table is made
 */
export async function queryPlace(
  system: System,
  folder: string,
  columns: string,
  rows: readonly { readonly ts: string; readonly values: string }[],
  first: readonly string[] = [],
): Promise<QueryPlace> {
  const place = await makePlace(system, folder)
  const to = mkdtempSync(join(folder, 'to-'))
  const isNative = system === 'postgresql'
  const day = system === 'mysql' ? 'datetime' : system === 'sqlite' ? 'DATETIME' : 'timestamp(0)'
  const key = isNative ? 'PRIMARY KEY (id, ts)' : 'PRIMARY KEY (id)'
  await place.sql(
    ...first,
    `CREATE TABLE s (id int NOT NULL, ts ${day} NOT NULL, ${columns}, ${key})${isNative ? ' PARTITION BY RANGE (ts)' : ''}`,
    ...(isNative
      ? [
          "CREATE TABLE s_2023q1 PARTITION OF s FOR VALUES FROM ('2023-01-01') TO ('2023-04-01')",
          "CREATE TABLE s_2026q4 PARTITION OF s FOR VALUES FROM ('2026-10-01') TO ('2027-01-01')",
        ]
      : []),
    ...rows.map(({ ts, values }, i) => `INSERT INTO s VALUES (${i}, '${ts} 00:00:00', ${values})`),
  )
  const run = {
    kind: 'archive',
    from: place.url,
    tables: ['s'],
    to,
    partitions: ['2023-Q1'],
    olderThan: '8q',
    asText: [],
    detach: true,
    drop: false,
    dryRun: false,
    graceMs: 0,
    ...(isNative ? {} : { by: 'ts' }),
  }
  const finish = async (operation: Operation): Promise<void> => {
    const { finished } = await perform(operation)
    if (finished.exitCode !== 0) throw new Error(`${operation.kind}: ${JSON.stringify(finished)}`)
  }
  return {
    place,
    to,
    async archive(more = {}) {
      await finish({ ...run, ...more } as Operation)
      await finish({ ...run, ...more, drop: true, confirm: 's' } as Operation)
    },
    async ask(query, more = {}) {
      const asked = { kind: 'query', from: place.url, table: 's', query, limit: 10_000, format: 'json', ...more }
      const { finished, events } = await perform(asked as Operation)
      return {
        finished,
        events,
        rows: events.flatMap((event) => (event.type === 'row' ? [event.values] : [])),
        columns: events.flatMap((event) => (event.type === 'columns' ? event.columns : [])),
        notes: events
          .flatMap((event) =>
            event.type === 'log'
              ? [event.message]
              : event.type === 'query.sources'
                ? [
                    ...(event.notLooked ?? []),
                    ...(event.asTexts ?? []).map((column) => `as text: ${column}`),
                    ...(event.byBytes ?? []).map((column) => `by bytes: ${column}`),
                  ]
                : [],
          )
          .join('\n'),
      }
    },
  }
}
