import { defineConfig } from 'vitest/config'
import LongFirst from './test/setup/long-first.ts'

/** What a catalog has to be able to do, wherever it lives: run once a backend. */
const CATALOG_SUITES = [
  'test/real/import.test.ts',
  'test/real/commands.test.ts',
  'test/real/commands-answers.test.ts',
  'test/real/validate-corruption.test.ts',
  'test/real/validate-history.test.ts',
  'test/real/compare.test.ts',
  'test/real/compare-rows.test.ts',
  'test/real/validate-lake.test.ts',
  'test/real/validate-ranges.test.ts',
  'test/real/validate-tables.test.ts',
  'test/property/import.test.ts',
  'test/tables/catalog.test.ts',
  'test/fault/catalog-upgrade.test.ts',
  'test/fault/import-kill.test.ts',
  'test/fault/sync-kill.test.ts',
  'test/fault/index-kill.test.ts',
  'test/fault/lanes.test.ts',
  'test/real/rebase.test.ts',
  'test/real/prune.test.ts',
  'test/property/sync.test.ts',
  'test/property/ranges.test.ts',
  'test/real/ranges.test.ts',
  'test/real/views.test.ts',
  'test/real/sql-command.test.ts',
  'test/real/fsck-catalog.test.ts',
  'test/real/lease-catalog.test.ts',
]

/**
 * What takes long and says the same on any of them: left out by default, run everywhere with SLUICE_TEST_ALL. Imports, resumes, commands, validation and
 * real tables go through every database in every run.
 */
const LONG = [
  'test/fault/index-kill.test.ts',
  'test/fault/lanes.test.ts',
  'test/real/prune.test.ts',
  'test/real/validate-ranges.test.ts',
  'test/real/validate-history.test.ts',
  'test/real/compare.test.ts',
]
/** Beside those, on the two that are neither the first nor the recommended one. */
const LONGER = [
  'test/real/compare-rows.test.ts',
  'test/fault/sync-kill.test.ts',
  'test/property/sync.test.ts',
  'test/property/ranges.test.ts',
  'test/property/import.test.ts',
  'test/real/ranges.test.ts',
  'test/real/rebase.test.ts',
  'test/real/sql-command.test.ts',
]
/**
 * Files that only compute: no server, no process of their own that lives on, nothing left in their process. One process runs many of them, because
 * starting one for each and loading everything anew takes longer than most of these tests.
 */
const LIGHT = [
  'test/unit/**/*.test.ts',
  'test/arch/**/*.test.ts',
  'test/property/**/*.test.ts',
  'test/cli/{copy-render,ctl,current,demo,docs,main,mode,parse,redact,render,setup-commands}.test.ts',
]
const ALL = Boolean(process.env['SLUICE_TEST_ALL'])
/**
 * What takes longest of what a quicker suite also holds to its promise on one system: `.ci/run` runs it with SLUICE_TEST_CI, and a run without says
 * that it was left out. A quarter of it each day, since all of it takes longer than CI may; all with SLUICE_TEST_CI=all.
 */
const CI_QUARTERS = [
  [
    'test/real/follow-silence.test.ts',
    'test/e2e/readme.test.ts',
    'test/fault/archive-{edited,expire-kill}.test.ts',
    'test/fault/cassandra-copy.test.ts',
    'test/fault/copy-d1.test.ts',
    'test/fault/follow-[a-e]*.test.ts',
    'test/fault/{cutover,decommission-kill}.test.ts',
    'test/real/cassandra-{again,diff,script}.test.ts',
    'test/real/{decommission-between,follow-generated,partition-plan}.test.ts',
    'test/real/archive-{large-values,parts}.test.ts',
    'test/real/{schedules,copy-indexes,time-judge,archive-types-judge,archive-values-commands}.test.ts',
    'test/fault/archive-{kill,away}.test.ts',
    'test/fault/{archive-values-kill,copy-again-kill,server-full}.test.ts',
    'test/real/{archive-late,archive-null-keys,partition-slices}.test.ts',
    'test/tui/queue-screens.test.ts',
  ],
  [
    'test/fault/in-place-kill.test.ts',
    'test/fault/archive-{erase-together,together}.test.ts',
    'test/fault/cassandra-{ledger,nodes}.test.ts',
    'test/fault/copy-{hostile,server}.test.ts',
    'test/fault/follow-[f-k]*.test.ts',
    'test/fault/{cutover-two,lifecycle-guide}.test.ts',
    'test/fault/index-kill.test.ts',
    'test/real/{lifecycle-status,switch-bound,copy-generated}.test.ts',
    'test/real/cassandra-{connect,lives,target-ring}.test.ts',
    'test/real/{copy-mysql-kept,cutover-two}.test.ts',
    'test/real/{archive-key-types,archive-log-sums,archive-rebuild,drawn-lakes,hostile-inputs}.test.ts',
    'test/real/{postgresql-apply,workbench,copy-left-behind,set-back,set-back-buckets,set-back-queue}.test.ts',
    'test/fault/archive-{restore-kill,slow-leave}.test.ts',
    'test/tui/sizes.test.ts',
    'test/real/archive-widen.test.ts',
    'test/e2e/escape-sequences.test.ts',
    'test/fault/{archive-server,server-killed}.test.ts',
    'test/real/{alerts-of-writers,pooler,queue-rights,sign-off}.test.ts',
  ],
  [
    'test/fault/{archive-parts,workers-lost,workers-restart}.test.ts',
    'test/e2e/planted-secrets.test.ts',
    'test/fault/cassandra-target-kill.test.ts',
    'test/fault/copy-{network,together}.test.ts',
    'test/fault/trigger-follow.test.ts',
    'test/fault/decommission-database-kill.test.ts',
    'test/real/archive-clone.test.ts',
    'test/tui/lifecycle-start.test.ts',
    'test/real/cassandra-{source,track}.test.ts',
    'test/real/{decommission-cutover,prune,switch-live}.test.ts',
    'test/real/archive-{alike-keys,expire,rename,retyped-kept,schema}.test.ts',
    'test/real/copy-{key-orders,member-keys,schemas,sessions}.test.ts',
    'test/real/decommission-database.test.ts',
    'test/fault/bombs.test.ts',
    'test/real/{archive-members,copy-mysql-faults,noted-lag,planted-tables}.test.ts',
    'test/tui/stories.test.ts',
  ],
  [
    'test/fault/{follow,follow-[l-z]*}.test.ts',
    'test/fault/partition-run.test.ts',
    'test/fault/{schedule-kill,workers-cut-off,workers-stream,workers-stream-copy,workers-stream-mysql,workers-tables,workers-count}.test.ts',
    'test/real/archive-{divided,elsewhere,erase,schema-types}.test.ts',
    'test/real/{cassandra-five,workers}.test.ts',
    'test/real/{archive-leave,archive-query-changes,run-report,follow-verify}.test.ts',
    'test/real/archive-{schema-lossless,values}.test.ts',
    'test/fault/archive-{elsewhere-kill,erase-kill}.test.ts',
    'test/e2e/ui-import.test.ts',
    'test/fault/ledger-frozen.test.ts',
    'test/real/{archive-values-types,archive-workers,compare-far,queue-alerts}.test.ts',
  ],
] as const
const TODAY = Math.floor(Date.now() / 86_400_000) % CI_QUARTERS.length
const OTHER_DAYS = process.env['SLUICE_TEST_CI'] === 'all' ? [] : CI_QUARTERS.filter((_, day) => day !== TODAY).flat()
/** Every run of CI has these, and `npm test` alone does not: a quarter of an hour is what somebody waits for it. */
const CI_EACH_DAY = [
  'test/fault/{archive,cassandra,cutover,decommission,follow,fuzz,half-done,in-place,lifecycle,partition,server,trigger}*.test.ts',
  'test/fault/copy-{drift,full,indexes,moving,wanted}.test.ts',
  'test/real/archive-{alike-keys,default,inherited,leave,log*,numbers,old,own,periods,query*,referred,rename,retyped-kept,schema,told,triggers,values*,widen,workers}.test.ts',
  'test/real/{cassandra,cutover,decommission,in-place,s3,switch,trigger,workbench}*.test.ts',
  'test/real/*-trigger-stream.test.ts',
  'test/real/{alerts-of-writers,copy-indexes,copy-left-behind,export-hostile,follow-verify,run-report,schedules}.test.ts',
  'test/real/partition-{beside,list,move,mysql*}.test.ts',
  'test/real/postgresql-apply.test.ts',
  'test/real/{copy-rights,durable-steps,lake-cases,long-values,planted-objects,planted-tables,planted-while-open,pooler,set-back,set-back-buckets,set-back-queue,time-judge,typed-query}.test.ts',
  'test/tui/sizes.test.ts',
  'test/property/archive-values.test.ts',
  'test/cli/cdm-properties.test.ts',
  'test/drawn/*.test.ts',
]
const LEFT_OUT = process.env['SLUICE_TEST_CI'] ? OTHER_DAYS : [...CI_QUARTERS.flat(), ...CI_EACH_DAY]
/** Soaks, random histories beside those that CI runs, waits that are measured: for SLUICE_TEST_ALL, which takes longer than CI may. */
const ALL_ONLY = [
  'test/fault/archive-systems.test.ts',
  'test/fault/copy-random.test.ts',
  'test/fault/follow-clock.test.ts',
  'test/fault/follow-full.test.ts',
  'test/fault/follow-versions.test.ts',
  'test/fault/fuzz-log.test.ts',
  'test/fault/lanes.test.ts',
  'test/real/cassandra-random.test.ts',
  'test/real/copy-slow-target.test.ts',
  'test/real/partition-mysql-live.test.ts',
  'test/real/{validate-history,validate-ranges}.test.ts',
  'test/tui/{copy-soak,soak}.test.ts',
]
const LEFT_TO_CI = ALL ? [] : [...ALL_ONLY, ...LEFT_OUT]

const onBackend = (name: string, exclude: readonly string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include: CATALOG_SUITES,
    exclude: ALL ? [] : [...exclude, ...LEFT_TO_CI],
    env: { SLUICE_TEST_BACKEND: name },
    testTimeout: 120_000,
  },
})

export default defineConfig({
  test: {
    globalSetup: ['test/setup/compile.ts', 'test/setup/run-folder.ts', 'test/setup/servers.ts'],
    setupFiles: ['test/setup/own-surroundings.ts', 'test/setup/own-server.ts'],
    // Native modules and process.env belong to a process, not to a thread.
    pool: 'forks',
    // Long suites wait for clocks and servers for much of their time.
    maxWorkers: process.env['SLUICE_TEST_CI'] ? 3 : 2,
    sequence: { sequencer: LongFirst },
    testTimeout: process.env['SLUICE_TEST_CI'] ? 90_000 : 30_000,
    hookTimeout: process.env['SLUICE_TEST_CI'] ? 120_000 : 60_000,
    teardownTimeout: 10_000,
    // A test that waits for another program's clock may be late once on a machine that is shared. It is named at the end of the run, not hidden.
    retry: process.env['CI'] ? 1 : 0,
    // The counting one last: the line it prints ends the run.
    reporters: ['default', './test/setup/count-reporter.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'sluice', include: ['test/**/*.test.{ts,tsx}'], exclude: [...LIGHT, ...LEFT_TO_CI] },
      },
      { extends: true, test: { name: 'light', include: LIGHT, exclude: LEFT_TO_CI, isolate: false } },
      onBackend('duckdb', [...LONG, ...LONGER]),
      onBackend('postgresql', LONG),
      onBackend('mysql', [...LONG, ...LONGER]),
    ],
  },
})
