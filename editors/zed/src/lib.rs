//! Starts `deeplab prototxt serve` for files of Caffe.

use zed_extension_api::{self as zed, settings::LspSettings};

struct Prototxt;

impl zed::Extension for Prototxt {
    fn new() -> Self {
        Self
    }

    fn language_server_command(
        &mut self,
        _: &zed::LanguageServerId,
        worktree: &zed::Worktree,
    ) -> zed::Result<zed::Command> {
        let command = worktree
            .which("deeplab")
            .ok_or("deeplab was not found in PATH: pip install \"deeplab-caffe[editor]\"")?;
        let args = vec!["prototxt".into(), "serve".into()];
        Ok(zed::Command {
            command,
            args,
            env: worktree.shell_env(),
        })
    }

    fn language_server_initialization_options(
        &mut self,
        id: &zed::LanguageServerId,
        worktree: &zed::Worktree,
    ) -> zed::Result<Option<zed::serde_json::Value>> {
        Ok(LspSettings::for_worktree(id.as_ref(), worktree)?.initialization_options)
    }
}

zed::register_extension!(Prototxt);
