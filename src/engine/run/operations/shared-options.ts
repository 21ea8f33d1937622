/** Options that several commands take. */
import type { RowFormat } from '../../../model/run/row-format.ts'
import type { Option } from './option.ts'
import * as words from './words.ts'

/** Operand for a table with a log. */
export const TABLE: Option = {
  name: 'table',
  operand: true,
  type: 'text',
  completes: 'delta table',
  describe: 'path with a _delta_log below it, or a table id of the catalog',
}

/** `--from` of commands that work in one database. */
export const DATABASE: Option = {
  name: 'from',
  type: 'text',
  completes: 'database',
  describe: 'URL of the database, such as postgresql://user@host/database; else the config file or $DATABASE_URL',
}

/** `--lock-timeout` of commands that lock tables. */
export const LOCK_TIMEOUT: Option = {
  name: 'lock-timeout',
  type: 'text',
  unit: 'duration',
  fallback: '100ms',
  least: 1,
  describe: 'longest time that one lock request of sluice makes other sessions wait',
}

/** `--dry-run` of some actions of a command. */
export const ACTION_PREVIEW: Option = {
  name: 'dry-run',
  alias: 'n',
  type: 'flag',
  fallback: false,
  describe: 'show what would be done and change nothing',
}

/** Option for the database that has the queue of workers. */
export const CONNECT: Option = {
  name: 'connect',
  type: 'text',
  completes: 'database',
  config: 'shown',
  describe: 'URL of the PostgreSQL database with the queue, or a store of the config file',
}

/** Each --exclude takes one value: an option with several values would also take the path that follows. */
export const EXCLUDE: Option = {
  name: 'exclude',
  type: 'list',
  shown: 'none',
  config: 'default',
  describe: 'skip paths that contain this word or match this glob; repeatable',
}

/** Option to search subfolders of a lake. */
export const RECURSIVE: Option = {
  name: 'recursive',
  alias: 'r',
  type: 'flag',
  default: false,
  describe: 'also search subfolders',
}

/** Option of commands that write actions into a catalog. */
export const BATCH_SIZE: Option = {
  name: 'batch-size',
  type: 'number',
  least: 1,
  default: 10_000,
  config: 'default',
  describe: 'actions written in one transaction',
}

/** Events of commands that import tables. */
export const IMPORT_EVENTS = [
  'plan.ready',
  'table.started',
  'chunk.started',
  'chunk.progress',
  'chunk.done',
  'chunk.retried',
  'chunk.failed',
  'table.finished',
  'log',
] as const

/** `--dry-run` of commands that show a plan. */
export const PLAN_ONLY: Option = {
  name: 'dry-run',
  alias: 'n',
  type: 'flag',
  default: false,
  describe: 'show the plan and change nothing',
}

/** `--dry-run` of commands that remove data. */
export const REMOVAL_PREVIEW: Option = {
  name: 'dry-run',
  alias: 'n',
  type: 'flag',
  default: false,
  describe: 'show what would be removed and change nothing',
}

/** `--resume` of commands that import tables. */
export const RESUME: Option = {
  name: 'resume',
  type: 'flag',
  default: false,
  describe: 'resume where an import stopped; this is also the default',
}

/** Number of tables that are processed in parallel. */
export function parallelOption(describe: string): Option {
  return {
    name: 'parallel',
    alias: 'workers',
    type: 'number',
    default: 2,
    least: 1,
    most: 64,
    config: 'default',
    describe,
  }
}

/** `--wait` of commands that write into a catalog. @param standard default wait */
export function waitOption(standard: '0s' | '10s'): Option {
  return {
    name: 'wait',
    type: 'text',
    unit: 'duration',
    default: standard,
    describe: 'how long to wait for a program that writes the table or has the catalog file open',
  }
}

/** Option in place of names of tables. */
export const ALL_TABLES: Option = { name: 'all', type: 'flag', default: false, describe: 'every table of the catalog' }

export const CHECKED_FILES = ['none', 'sample', 'all'] as const

/** Option for the data files that are checked for existence. */
export const CHECK_FILES: Option = {
  name: 'check-files',
  type: 'choice',
  choices: CHECKED_FILES,
  default: 'sample',
  config: 'default',
  describe: 'which data files to check for existence',
}

/** Options that select a version of a table. */
export const AS_OF: readonly Option[] = [
  { name: 'version', type: 'number', describe: 'files of this version' },
  { name: 'timestamp', type: 'text', describe: 'files as of this ISO date or time; UTC unless it names a zone' },
]

const ROW_FORMATS: readonly RowFormat[] = ['table', 'csv', 'json']

/** For commands that return rows of a query. */
export const ROW_OPTIONS: readonly Option[] = [
  {
    name: 'limit',
    type: 'number',
    unit: 'rows',
    least: 1,
    default: 1000,
    describe: 'maximum number of rows to return',
  },
  {
    name: 'format',
    type: 'choice',
    choices: ROW_FORMATS,
    default: 'table',
    describe: 'format of the rows; json writes one object per row',
  },
  {
    name: 'timeout',
    type: 'text',
    unit: 'duration',
    describe: 'cancel the query after this time, such as 30s (default: never)',
  },
]

/** Parsers of `ROW_OPTIONS`. */
export const ROW_WORDS = {
  limit: words.count('limit'),
  format: words.choice('format', ROW_FORMATS),
  timeoutMs: words.optionalDuration('timeout'),
}

/** Hours of the day in which a run works; commands with this option also have one for the time zone. */
export const BETWEEN_OPTION: Option = {
  name: 'between',
  type: 'text',
  describe: 'hours of the day in which the run works, such as 22:00-05:00; at other times it waits and begins nothing',
}
