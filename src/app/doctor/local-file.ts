/** Checks a catalog file: folder, rights and disk. */
import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isFolderPath } from '../../shared/folder.ts'
import { fail, ok, warn, type Verdict } from '../../model/run/verdict.ts'
import { sizeText } from '../../shared/figures.ts'
import type { Examination } from './examination.ts'
import { freeSpace, spaceVerdict } from './program.ts'

/** statfs types of network file systems, whose locks are unreliable. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
])

/** @param title name of the database system of the file @returns true if there is a file to open */
export async function checkLocalFile(
  examination: Examination,
  area: string,
  title: string,
  file: string,
): Promise<boolean> {
  const folder = dirname(file)
  const placed = await examination.check(area, 'folder', () => folderVerdict(folder))
  if (placed.verdict?.status === 'fail') return false
  let exists = false
  const inspected = await examination.check(area, 'file', async () => {
    if (isFolderPath(file))
      return fail(`${file} is a folder`, { hint: 'add the name of a file to the URL, such as catalog.db' })
    const stats = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (stats === null) return ok('it does not exist yet: the first import creates it')
    if (!(await hasAccess(file, constants.R_OK)))
      return fail(`${file} cannot be read by this user`, { hint: `chmod or chown ${file}` })
    exists = true
    const found = sizeText(stats.size)
    if (await hasAccess(file, constants.W_OK)) return ok(found)
    return warn(`${found}, and this user may only read it`, { hint: `to import, chmod or chown ${file}` })
  })
  await examination.check(area, 'disk', () => diskVerdict(folder, title))
  return exists && inspected.verdict?.status !== 'fail'
}

async function folderVerdict(folder: string): Promise<Verdict> {
  try {
    await access(folder, constants.R_OK | constants.X_OK)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return fail(`${folder} does not exist`, { hint: `mkdir -p ${folder}` })
    return fail(`${folder} cannot be read`, { cause: code, hint: `chmod or chown ${folder}` })
  }
  if (await hasAccess(folder, constants.W_OK)) return ok(folder)
  return warn(`${folder}, and this user may not write there`, {
    cause: 'an import writes its own files into the folder of the catalog',
    hint: `to import, chmod or chown ${folder}`,
  })
}

async function diskVerdict(folder: string, title: string): Promise<Verdict> {
  const free = await freeSpace(folder)
  const { type } = await statfs(folder)
  const network = NETWORK_FILE_SYSTEMS.get(type)
  const verdict = spaceVerdict(`${sizeText(free)} free`, free, 'free some, or put the catalog on a larger disk')
  if (network === undefined || verdict.status !== 'ok') return verdict
  return warn(`${verdict.found}, on ${network}`, {
    cause: `${title} needs locks that file systems of other machines do not keep`,
    hint: 'put the catalog on a disk of this machine, or into a database server',
  })
}

function hasAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}
