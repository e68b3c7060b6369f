-- Commands of the server of prototxt files, for Neovim 0.7 and later. :PrototxtPicture, :PrototxtInspect, :PrototxtDiff FILE,
-- :PrototxtDiffCommitted [REVISION], :PrototxtDeploy. The picture follows the cursor, as the server is told where that rests.

local function show(title)
  return function(text)
    vim.cmd("botright new")
    vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile = "nofile", "wipe", false
    vim.api.nvim_buf_set_name(0, ("%s (%s)"):format(title, vim.fn.localtime()))
    vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(text, "\n"))
    vim.bo.modifiable = false
    vim.wo.wrap = false
  end
end

local function run(command, argument, use)
  local arguments = { vim.uri_from_bufnr(0), argument }
  local parameters = { command = command, arguments = arguments }
  local sent = vim.lsp.buf_request(0, "workspace/executeCommand", parameters, function(problem, result)
    if problem then
      vim.notify(problem.message, vim.log.levels.ERROR)
    elseif result then
      use(result)
    end
  end)
  if not next(sent) then
    vim.notify("No server of prototxt files is attached to this buffer.", vim.log.levels.ERROR)
  end
end

local function define(name, options, callback)
  vim.api.nvim_create_user_command("Prototxt" .. name, callback, options)
end

define("Picture", {}, function()
  run("deeplab.picture", nil, function(address)
    print("The net's picture: " .. address)
  end)
end)
define("Inspect", {}, function()
  run("deeplab.inspect", nil, show("inspect"))
end)
define("Diff", { nargs = 1, complete = "file" }, function(given)
  run("deeplab.diff", vim.uri_from_fname(vim.fn.fnamemodify(given.args, ":p")), show("diff"))
end)
define("DiffCommitted", { nargs = "?" }, function(given)
  run("deeplab.diffCommitted", given.args ~= "" and given.args or "HEAD", show("diff"))
end)
define("Deploy", {}, function()
  run("deeplab.deploy", nil, function(uri)
    vim.cmd("vsplit " .. vim.fn.fnameescape(vim.uri_to_fname(uri)))
  end)
end)

vim.api.nvim_create_autocmd("FileType", {
  pattern = "prototxt",
  callback = function(opened)
    vim.bo[opened.buf].commentstring = "# %s"
    vim.api.nvim_create_autocmd("CursorHold", { buffer = opened.buf, callback = vim.lsp.buf.document_highlight })
    vim.api.nvim_create_autocmd("CursorMoved", { buffer = opened.buf, callback = vim.lsp.buf.clear_references })
  end,
})
