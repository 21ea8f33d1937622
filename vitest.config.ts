import { defineConfig } from 'vitest/config'
import { compiledModules, LOADED_BY_NODE } from './test/setup/compiled.ts'
import LongFirst from './test/setup/long-first.ts'
import {
  ALL_ONLY,
  CATALOG,
  CI_EACH_DAY,
  DAY,
  dayOfLongest,
  LIGHT,
  LONG,
  LONGER,
  LONGEST,
  LONGEST_DAYS,
} from './test/setup/suites.ts'

const ALL = Boolean(process.env['SLUICE_TEST_ALL'])
const CI = process.env['SLUICE_TEST_CI'] ?? ''
const EVERY_DAY = ALL || CI === 'all'
/** Whether CI has all suites of the catalog on this database today: one of three each day. */
const hasTurn = (turn: number): boolean => EVERY_DAY || (CI !== '' && DAY % 3 === turn)
const OTHER_DAYS = CI === 'all' ? [] : LONGEST.filter((_, i) => dayOfLongest(i) !== DAY % LONGEST_DAYS)
const LEFT_OUT = ALL ? [] : [...ALL_ONLY, ...(CI === '' ? [...LONGEST, ...CI_EACH_DAY] : OTHER_DAYS)]

/**
 * The catalog's suites on a database beside SQLite, which has them in the project `sluice`. PostgreSQL has them in each
 * run, what takes long of them in CI only; that, DuckDB and MySQL by turns.
 */
const onBackend = (name: string, exclude: readonly string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include: CATALOG,
    exclude: ALL ? [] : [...exclude, ...LEFT_OUT],
    env: { SLUICE_TEST_BACKEND: name },
    testTimeout: 120_000,
  },
})

export default defineConfig({
  plugins: [compiledModules],
  test: {
    server: { deps: { external: LOADED_BY_NODE } },
    globalSetup: ['test/setup/compile.ts', 'test/setup/run-folder.ts', 'test/setup/servers.ts'],
    setupFiles: ['test/setup/own-surroundings.ts', 'test/setup/own-server.ts'],
    // Native modules and process.env belong to a process, not to a thread.
    pool: 'forks',
    // Long suites wait for clocks and servers for much of their time.
    maxWorkers: CI !== '' ? 3 : 2,
    sequence: { sequencer: LongFirst },
    testTimeout: CI !== '' ? 90_000 : 30_000,
    hookTimeout: CI !== '' ? 120_000 : 60_000,
    teardownTimeout: 10_000,
    // A test that waits for another program's clock may be late once on a machine that is shared. It is named at the end of the run, not hidden.
    retry: process.env['CI'] ? 1 : 0,
    // The counting one last: the line it prints ends the run.
    reporters: ['default', './test/setup/count-reporter.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'sluice', include: ['test/**/*.test.{ts,tsx}'], exclude: [...LIGHT, ...LEFT_OUT] },
      },
      { extends: true, test: { name: 'light', include: LIGHT, exclude: LEFT_OUT, isolate: false } },
      onBackend('postgresql', hasTurn(0) ? LONG : [...LONG, ...LONGER]),
      ...(hasTurn(1) ? [onBackend('duckdb', [...LONG, ...LONGER])] : []),
      ...(hasTurn(2) ? [onBackend('mysql', [...LONG, ...LONGER])] : []),
    ],
  },
})
