import { join, resolve } from 'node:path'
import type * as z from 'zod'
import type { SettingType } from './setting-types.ts'
import { path } from './setting-types.ts'
import { optionalSetting, setting } from './settings.ts'

/** The directory of a server, for the commands that work beside it. */
export function directorySetting(group: string): z.ZodPrefault<SettingType<string>> {
  return setting(path, {
    group,
    placeholder: 'DIR',
    default: './uploads',
    description: 'directory of uploads, as for serve',
  })
}

/** Where a server puts finished files, for the commands that work beside it. */
export function completedDirectorySetting(group: string): z.ZodOptional<SettingType<string>> {
  return optionalSetting(path, {
    group,
    placeholder: 'DIR',
    defaultIs: 'completed in --dir',
    description: 'directory of finished files, as for serve',
  })
}

/** Where finished files go, as typed: `none` for nowhere, absent for a directory in that of the uploads. */
export function completedDirectory(dir: string, typed: string | undefined): string | false {
  return typed === 'none' ? false : resolve(typed ?? join(dir, 'completed'))
}
