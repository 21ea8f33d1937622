/**
 * Names of the folders directly in the folder of a table. A listing contains files and folders in name order, so all of
 * it must be read. Only data folders can be skipped, because their names begin with the same column name.
 */
import type { PartlyListed } from '../../model/lake/lake-store.ts'
import type { S3Client } from './client.ts'
import { listPages, type ListPage, type ListRequest } from './list.ts'

/** Maximum number of pages (1,000 names each) read after those on which the table was found: about ten seconds. */
const MOST_PAGES = 100

export type FolderNames = { readonly names: readonly string[]; readonly unseen: PartlyListed | null }

type Begun = {
  readonly pages: AsyncGenerator<ListPage>
  /** The last page that was read. */
  readonly page: ListPage
  readonly names: readonly string[]
}

/** @returns a function that resumes the listing, with the delimiter `/` */
export function listFolders(client: S3Client, request: ListRequest, begun: Begun): () => Promise<FolderNames> {
  return async () => {
    const { prefix } = request
    const names = new Set(begun.names)
    let { pages, page } = begun
    let listed = namesOn(page)
    let last = lastOn(page)
    let skips = true
    for (let asked = 0; page.next !== null; asked++) {
      if (asked === MOST_PAGES) return { names: [...names], unseen: { after: last.slice(prefix.length), listed } }
      const behind = skips ? behindData(prefix, last) : null
      if (behind !== null) pages = listPages(client, { ...request, startAfter: behind })
      const next = await pages.next()
      if (next.done === true) break
      page = next.value
      // A store that ignores `startAfter` lists from the beginning. Then no folders are skipped any more.
      if (behind !== null && !isBehind(page, behind)) skips = false
      listed += namesOn(page)
      if (namesOn(page) > 0) last = lastOn(page)
      for (const found of page.prefixes) names.add(found.slice(prefix.length, -1))
    }
    return { names: [...names], unseen: null }
  }
}

/**
 * Name from which the listing can continue after a data folder `column=value`: the first possible name after all data
 * folders of this column, because no other folder is between them. Null if the last name of a page is no data folder.
 */
function behindData(prefix: string, last: string): string | null {
  const column = /^([^/]*?)=[^/]*\/$/.exec(last.slice(prefix.length))?.[1]
  return column === undefined ? null : `${prefix}${column}>`
}

function namesOn({ objects, prefixes }: ListPage): number {
  return objects.length + prefixes.length
}

/** Last name of a page. Files and folders are in two lists, each in byte order. */
function lastOn({ objects, prefixes }: ListPage): string {
  const [file = '', folder = ''] = [objects.at(-1)?.key, prefixes.at(-1)]
  return compare(file, folder) > 0 ? file : folder
}

function isBehind({ objects, prefixes }: ListPage, name: string): boolean {
  return [objects[0]?.key, prefixes[0]].every((first) => first === undefined || compare(first, name) > 0)
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
