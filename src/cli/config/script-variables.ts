/**
 * Environment variables of the resumable migration script. They replace missing flags, so that its calls, npm scripts
 * and workflow work unchanged.
 */
import { SluiceError } from '../../shared/errors.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Rows per chunk in script mode, independent of table size. */
const SCRIPT_CHUNK_ROWS = 50_000

const TARGET_VARIABLES = ['CLOUDFLARE_ACCOUNT_ID', 'D1_DATABASE_ID'] as const

/** Options from the script's variables, other than source and target. */
export type GivenScriptOptions = {
  readonly table: string | undefined
  readonly chunkRows: number
  readonly batchRows: number | undefined
  /** False: copy everything again. */
  readonly resume: boolean
}

/** Value of a variable; undefined if empty, as CI systems leave it for a missing secret. */
export function nonEmptyVariable(env: Env, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === undefined || value === '' ? undefined : value
}

/**
 * URL of `DATABASE_URL`.
 * @param named resolves a store name to its URL; returns other words unchanged
 * @throws SluiceError BAD_FLAG if it is no URL
 */
export function scriptSource(env: Env, named: (word: string) => string): string | undefined {
  const word = nonEmptyVariable(env, 'DATABASE_URL')
  const url = word === undefined ? undefined : named(word)
  if (url === undefined || url.includes('://')) return url
  throw new SluiceError('BAD_FLAG', 'DATABASE_URL is not a URL', {
    hint: 'set it to postgresql://user@host:5432/database',
  })
}

/** The D1 database of the variables. @throws SluiceError BAD_FLAG if only the database is set */
export function scriptTarget(env: Env): string | undefined {
  const [account, database] = TARGET_VARIABLES.map((name) => nonEmptyVariable(env, name))
  if (account !== undefined && database !== undefined) {
    return `d1://${encodeURIComponent(account)}/${encodeURIComponent(database)}`
  }
  if (database === undefined) return undefined
  throw new SluiceError('BAD_FLAG', 'D1_DATABASE_ID is set, but CLOUDFLARE_ACCOUNT_ID is not', {
    hint: 'set both, or name the target with --to',
  })
}

/** @throws SluiceError BAD_FLAG for an invalid number */
export function scriptOptions(env: Env): GivenScriptOptions {
  const resume = nonEmptyVariable(env, 'RESUME_MODE')?.toLowerCase()
  if (resume !== undefined && resume !== 'true' && resume !== 'false') {
    throw new SluiceError('BAD_FLAG', `RESUME_MODE takes true or false, not ${resume}`)
  }
  return {
    table: nonEmptyVariable(env, 'TABLE_NAME'),
    chunkRows: countOf(env, 'CHECKPOINT_SIZE') ?? SCRIPT_CHUNK_ROWS,
    batchRows: countOf(env, 'BATCH_SIZE'),
    resume: resume !== 'false',
  }
}

function countOf(env: Env, name: string): number | undefined {
  const value = nonEmptyVariable(env, name)
  if (value === undefined) return undefined
  const count = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(count) && count > 0) return count
  throw new SluiceError('BAD_FLAG', `${name} must be a whole number of at least 1, not ${value}`)
}
