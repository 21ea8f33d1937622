/**
 * The initial data folder of a database server: created once per run and copied for every server, which takes a tenth
 * of the time.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/**
 * Fills a folder that does not exist yet. If several test files come at the same time, each creates a template, and the
 * first one is kept.
 * @param make fills the given folder, whose parent belongs to `owner`
 */
export function copyFresh(
  name: string,
  to: string,
  owner: { readonly uid?: number; readonly gid?: number },
  make: (folder: string) => void,
): void {
  const run = process.env['SLUICE_TEST_FOLDER']
  if (run === undefined) return make(to)
  const template = path.join(run, `fresh-${name}`)
  if (!fs.existsSync(template)) {
    const own = fs.mkdtempSync(`${template}-`)
    fs.chmodSync(own, 0o755)
    if (owner.uid !== undefined && owner.gid !== undefined) fs.chownSync(own, owner.uid, owner.gid)
    make(path.join(own, 'data'))
    try {
      fs.renameSync(own, template)
    } catch (error) {
      if (!fs.existsSync(template)) throw error
      fs.rmSync(own, { recursive: true, force: true })
    }
  }
  execFileSync('cp', ['-a', path.join(template, 'data'), to])
}
