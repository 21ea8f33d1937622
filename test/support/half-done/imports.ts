/** A table whose import was killed between its batches, in a catalog of each system. */
import { join } from 'node:path'
import type { Operation } from '../../../src/app/operations/list.ts'
import { add, METADATA, PROTOCOL, remove, writeLog, type Line } from '../catalog-kit.ts'
import { leave } from './child.ts'
import { ELSEWHERE } from './copies.ts'

const VERSIONS = 12
const FILES = 6

/** Active files at the end: those that `writeTable` adds, without those that it removes. */
export function activeFiles(): readonly string[] {
  const files = Array.from({ length: VERSIONS }, (_, version) =>
    Array.from({ length: FILES }, (_file, file) => `${version}-${file}.parquet`),
  )
  return files
    .flat()
    .filter((name) => !name.endsWith('-0.parquet') || name.startsWith(`${VERSIONS - 1}-`))
    .toSorted()
}

/** @returns the folder of the table */
export function writeTable(lake: string): string {
  const table = join(lake, 'events')
  writeLog(
    table,
    Array.from({ length: VERSIONS }, (_, version) => {
      const lines: Line[] = version === 0 ? [PROTOCOL, METADATA] : [remove(`${version - 1}-0.parquet`)]
      for (let file = 0; file < FILES; file++) lines.push(add(`${version}-${file}.parquet`, { size: 100 + file }))
      return lines
    }),
  )
  return table
}

export function importOf(table: string, catalog: string): Operation {
  return {
    kind: 'import',
    table,
    catalog,
    tableId: 'events',
    dryRun: false,
    resume: false,
    batchSize: 10,
    verbose: false,
    allowRefused: false,
    // Wait for the lease of a fixture that was made just before.
    waitMs: 90_000,
  }
}

export async function leaveImport(table: string, catalog: string): Promise<void> {
  await leave(importOf(table, catalog), { host: ELSEWHERE, dies: { type: 'chunk.progress', times: 1 } })
}
