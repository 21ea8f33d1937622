/**
 * Common setup of suites about servers: a server of each system, a connection to it that can fail, and a table to
 * import.
 */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { SYSTEMS, titleOf, writeHistory, type FaultServer, type System } from './server-kit.ts'

/** Available from the first hook of the suite on. */
export type Stage = {
  readonly server: FaultServer
  /** Between tests it forwards everything. */
  readonly proxy: Proxy
  readonly folder: string
  readonly table: string
}

export type StageOptions = {
  /** The table's history, as arguments of `writeHistory`. */
  readonly history: readonly [versions: number, filesEach: number, statsBytes?: number]
  /** Whether other test files also use the server; it cannot be stopped then. */
  readonly shared?: boolean
}

/** A suite for each system; skipped with the reason if its server is missing. */
export function onEverySystem(what: string, options: StageOptions, suite: (at: Stage, system: System) => void): void {
  for (const system of SYSTEMS) {
    describe.skipIf(system.missing !== '')(titleOf(what, system), () => {
      const at: Partial<{ -readonly [K in keyof Stage]: Stage[K] }> = {}
      let folder: Folder | undefined
      beforeAll(async () => {
        folder = temporaryFolder()
        at.folder = folder.path
        at.table = join(folder.path, 'table')
        writeHistory(at.table, ...options.history)
        at.server = options.shared === true ? await system.share() : await system.start()
        at.proxy = await startProxy(at.server.port)
      })
      afterEach(() => {
        at.proxy?.onClientData(null)
        at.proxy?.thaw()
      })
      afterAll(async () => {
        await at.proxy?.close()
        await at.server?.[Symbol.asyncDispose]()
        folder?.[Symbol.dispose]()
      })
      suite(at as Stage, system)
    })
  }
}
