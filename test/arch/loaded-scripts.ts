/** Scripts that a run of Node loads, from its coverage, which lists ESM and CommonJS modules. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ROOT } from './source-files.ts'

export type Loaded = {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Names of packages in node_modules with at least one loaded script. */
  readonly packages: ReadonlySet<string>
  /** Modules of build/ or dist/, as `app/index.js`. */
  readonly modules: ReadonlySet<string>
}

/** Runs `node ...args` in the project's root. */
export function loadedBy(args: readonly string[]): Loaded {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-coverage-'))
  try {
    const env = { ...process.env, NODE_V8_COVERAGE: folder, CI: '1' }
    const result = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8', timeout: 25_000 })
    const packages = new Set<string>()
    const modules = new Set<string>()
    for (const name of fs.readdirSync(folder)) {
      const report = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as { result: { url: string }[] }
      for (const { url } of report.result) {
        const inPackages = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
        if (inPackages !== undefined) packages.add(inPackages)
        const own = /\/(?:build|dist)\/(.+)$/.exec(url)?.[1]
        if (inPackages === undefined && own !== undefined) modules.add(own)
      }
    }
    return { status: result.status, stdout: result.stdout, stderr: result.stderr, packages, modules }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
