/** Opens the stores of a copy by URL. Each store's code is loaded at first use. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { urlScheme } from '../../model/lake/lake-url.ts'
import type { Emit } from '../../model/run/event.ts'
import type { Clock } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { CopyDeclaration, CopyOptions } from '../../stores/declaration.ts'
import type { CassandraOptions } from './operations/copy/option-types.ts'
import { copyExamples, systemOf } from '../run/systems.ts'
import { lacksFolder, refuseFolder } from '../run/database-file.ts'
import { onSide } from './sides.ts'

export type SourceOptions = Pick<CopyOptions, 'lockWaitMs' | 'moving' | 'yields' | 'mortal' | 'onRetry'>

/** Pause between two reports about a store that does not answer, ms. */
const REPORT_AGAIN_MS = 5000

/**
 * Store options of a run: `onRetry` emits events about retries. In a distributed run, the server ends sessions of a
 * frozen process (`mortal`).
 */
export function storeOptions(run: {
  readonly emit: Emit<'log'>
  readonly clock: Pick<Clock, 'ticks'>
  readonly sharedRun?: string | undefined
}): Pick<CopyOptions, 'onRetry' | 'mortal'> {
  return { ...reportingRetries(run.emit, run.clock), ...(run.sharedRun === undefined ? {} : { mortal: true }) }
}

/** Emits why a store does not answer, or why a request is repeated: immediately, then at most every five seconds. */
export function reportingRetries(
  emit: Emit<'log'>,
  clock: Pick<Clock, 'ticks'>,
): Required<Pick<CopyOptions, 'onRetry'>> {
  let reportedAt = -Infinity
  return {
    onRetry: ({ label, why, attempt, forMs, isOpen = false }) => {
      if (clock.ticks() - reportedAt < REPORT_AGAIN_MS) return
      reportedAt = clock.ticks()
      const left = `try ${attempt} follows; retries end after ${Math.ceil(forMs / 1000)} s`
      // Report the cause first: a small screen cuts the end.
      emit({
        type: 'log',
        level: 'warn',
        message: `${isOpen ? 'a request fails' : 'not reached'}: ${why}; ${left}: ${label}`,
      })
    },
  }
}

/** Opens the store that a copy reads; errors are reported as errors of the source. @throws as `openCopyStore` */
export function openSourceStore(
  url: string,
  sourceOptions?: CassandraOptions,
  more: SourceOptions = {},
): Promise<CopyStore> {
  const options = { ...more, ...(sourceOptions === undefined ? {} : { cassandra: sourceOptions }) }
  return onSide('source', () => openCopyStore(url, { mode: 'read', ...options }))
}

/** @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, CONNECT_FAILED */
export async function openCopyStore(url: string, options: CopyOptions): Promise<CopyStore> {
  const system = systemOf(url)
  if (system?.copies === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `${redactUrl(url)} is not a database that sluice can copy`, {
      hint: `give --from and --to as ${copyExamples()}`,
    })
  }
  const file = system.file === undefined ? null : fileOf(url)
  if (file !== null) refuseFolder(file, redactUrl(url))
  if (options.mode !== 'plan') return await system.copies.open({ url, file }, options)
  if (file === null || existsSync(file)) return await system.copies.open({ url, file }, { ...options, mode: 'read' })
  // The folder is missing: opening for writing fails with the same error as in the run, and creates nothing.
  if (lacksFolder(file)) return await system.copies.open({ url, file }, { ...options, mode: 'write' })
  return await openEmpty(url, system.copies)
}

/** Opens a database for changes, without creating it: opening a missing file fails. @throws as `openCopyStore` */
export function openExisting(url: string, options: Omit<CopyOptions, 'mode'> = {}): Promise<CopyStore> {
  return openCopyStore(url, { ...options, mode: isMissingFile(url) ? 'read' : 'write' })
}

/** True if the database is a file that does not exist yet. @throws SluiceError BAD_CONFIG */
export function isMissingFile(url: string): boolean {
  return systemOf(url)?.file !== undefined && !existsSync(fileOf(url))
}

/** Opens a temporary empty database in place of a missing file; dispose removes it. Messages show the given URL. */
async function openEmpty(url: string, copies: CopyDeclaration): Promise<CopyStore> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-plan-'))
  const file = join(folder, 'empty')
  const store = await copies.open({ url, file }, { mode: 'write' })
  const dispose = store[Symbol.asyncDispose].bind(store)
  return Object.assign(store, {
    [Symbol.asyncDispose]: async () => {
      await dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  })
}

function fileOf(url: string): string {
  const scheme = /^[a-z0-9+]+/i.exec(url)?.[0].toLowerCase() ?? ''
  const path = /^[a-z0-9+]+:\/\/\/(.+)$/is.exec(url)?.[1]
  const remote = path === undefined ? null : urlScheme(path)
  if (remote !== null) {
    throw new SluiceError('BAD_CONFIG', `a ${scheme} database is a file of this machine, not a ${remote}: URL`, {
      hint: `write ${scheme}:///file, with the path of the file`,
    })
  }
  if (path !== undefined && path !== ':memory:') return resolve(path)
  throw new SluiceError('BAD_CONFIG', `${url} has no file path`, {
    hint: `write ${scheme}:///file, with three slashes`,
  })
}
