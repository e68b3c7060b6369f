;;; prototxt-mode.el --- Caffe's nets and solvers -*- lexical-binding: t -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))

;;; Commentary:

;; Colours, indentation, and the server `deeplab prototxt serve' by Eglot.  `C-c C-p' opens the net's picture, which follows
;; point, `C-c C-i' the table of sizes, `C-c C-d' what has changed since the last commit, `C-c C-o' the deploy net.

;;; Code:

(require 'eglot)

(defvar prototxt-mode-syntax-table
  (let ((table (make-syntax-table)))
    (modify-syntax-entry ?# "<" table)
    (modify-syntax-entry ?\n ">" table)
    (modify-syntax-entry ?' "\"" table)
    (modify-syntax-entry ?_ "w" table)
    table))

(defconst prototxt-mode-font-lock
  '(("\\_<layers?\\_>" . font-lock-keyword-face)
    ("${\\w+}" 0 font-lock-preprocessor-face t)
    ("\\(\\w+\\)\\s-*:?\\s-*[{<]" 1 font-lock-function-name-face)
    ("\\(\\w+\\)\\s-*:" 1 font-lock-variable-name-face)
    ("\\_<\\(?:true\\|false\\|[A-Z][A-Z0-9_]+\\)\\_>" . font-lock-constant-face)))

(defun prototxt-indent-line ()
  "Indent by two columns for each block around the line."
  (let ((depth (save-excursion
                 (back-to-indentation)
                 (- (car (syntax-ppss)) (if (looking-at "[]}]") 1 0)))))
    (if (<= (current-column) (current-indentation))
        (indent-line-to (* 2 (max 0 depth)))
      (save-excursion (indent-line-to (* 2 (max 0 depth)))))))

;; Emacs 30 has these two without the double hyphen.
(defalias 'prototxt--uri (if (fboundp 'eglot-path-to-uri) 'eglot-path-to-uri 'eglot--path-to-uri))
(defalias 'prototxt--path (if (fboundp 'eglot-uri-to-path) 'eglot-uri-to-path 'eglot--uri-to-path))

(defun prototxt--request (command &rest arguments)
  "What COMMAND of the server gives for this file and ARGUMENTS."
  (jsonrpc-request (eglot-current-server) :workspace/executeCommand
                   (list :command command
                         :arguments (vconcat (list (prototxt--uri buffer-file-name)) arguments))))

(defun prototxt--show (title text)
  "Show TEXT in a buffer named TITLE."
  (with-current-buffer (get-buffer-create title)
    (let ((inhibit-read-only t))
      (erase-buffer)
      (insert text)
      (goto-char (point-min)))
    (special-mode)
    (setq truncate-lines t)
    (display-buffer (current-buffer))))

(defun prototxt-picture ()
  "Open the net's picture in a browser; the server does it where Eglot lets it."
  (interactive)
  (let ((address (prototxt--request "deeplab.picture"))
        (window (plist-get (eglot-client-capabilities (eglot-current-server)) :window)))
    (unless (plist-get window :showDocument)
      (browse-url address))
    (message "The net's picture: %s" address)))

(defun prototxt-inspect ()
  "Show the sizes, cost and memory of every layer."
  (interactive)
  (prototxt--show "*prototxt inspect*" (prototxt--request "deeplab.inspect")))

(defun prototxt-diff (file)
  "Show what differs by meaning from FILE."
  (interactive "fCompare with: ")
  (prototxt--show "*prototxt diff*"
                  (prototxt--request "deeplab.diff" (prototxt--uri (expand-file-name file)))))

(defun prototxt-diff-committed (revision)
  "Show what differs by meaning from the version in REVISION."
  (interactive (list (read-string "Revision: " "HEAD")))
  (prototxt--show "*prototxt diff*" (prototxt--request "deeplab.diffCommitted" revision)))

(defun prototxt-deploy ()
  "Open the deploy net of this model in another window."
  (interactive)
  (find-file-other-window (prototxt--path (prototxt--request "deeplab.deploy"))))

(defvar prototxt-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-p") #'prototxt-picture)
    (define-key map (kbd "C-c C-i") #'prototxt-inspect)
    (define-key map (kbd "C-c C-d") #'prototxt-diff-committed)
    (define-key map (kbd "C-c C-o") #'prototxt-deploy)
    map))

;;;###autoload
(define-derived-mode prototxt-mode prog-mode "Prototxt"
  "Caffe's nets and solvers."
  (setq-local comment-start "# "
              comment-start-skip "#+\\s-*"
              indent-tabs-mode nil
              indent-line-function #'prototxt-indent-line
              font-lock-defaults '(prototxt-mode-font-lock)))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.prototxt\\'" . prototxt-mode))
(add-to-list 'eglot-server-programs '(prototxt-mode . ("deeplab" "prototxt" "serve")))

(provide 'prototxt-mode)
;;; prototxt-mode.el ends here
